"""Sending a file in parts, to this home or over HTTP to another machine's, going on where an earlier try ended."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from shudu.policy.types import Actor, Conflict, Invalid, ShuduError, Text, Unavailable

PART_BYTES = 8 << 20
TRIES = 6  # of one part, with pauses that double
TIMEOUT = 300.0  # seconds for an answer: a large file is digested when it is completed


class Receiver(Protocol):
    """Where a file is sent. Each answer is the upload as the API describes it."""

    def create(self, body: Mapping[str, Any], key: str) -> dict[str, Any]: ...
    def get(self, upload: str) -> dict[str, Any]: ...
    def append(self, upload: str, offset: int, data: bytes) -> dict[str, Any]: ...
    def complete(self, upload: str, key: str) -> dict[str, Any]: ...


def send(
    file: Path, receiver: Receiver, *, key: str = "", told: Callable[[int, int], None] = lambda at, of: None
) -> dict[str, Any]:
    """Send a file whole: announce it, add what is missing, complete it. Done again after any interruption it goes on.

    Without `key`, one is made of the file's name and content, so the same file finds its earlier upload.
    """
    with _opened(file) as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        size = source.seek(0, 2)
        base = key or "send-" + hashlib.sha256(f"{file.name}\0{sha256}".encode()).hexdigest()[:32]
        row, base = _announced(receiver, {"name": file.name, "size": size, "sha256": sha256}, base)
        while row["state"] == "receiving" and row["offset"] < size:
            told(row["offset"], size)
            source.seek(row["offset"])
            row = _appended(receiver, row, source.read(PART_BYTES))
    return receiver.complete(row["id"], f"{base}-complete") if row["state"] == "receiving" else row


def _announced(receiver: Receiver, body: Mapping[str, Any], base: str) -> tuple[dict[str, Any], str]:
    """The upload of this file that stands, or a new one when those before have ended."""
    for number in range(1_000):
        key = f"{base}-{number}" if number else base
        row = receiver.create(body, key)
        row = receiver.get(row["id"])  # a repeated request is answered with what it made, which may have moved on
        if row["state"] in ("receiving", "complete"):
            return row, key
    raise Conflict("upload.state", Text("这份文件已多次上传未成。", "This file was sent too often without success."))


def _appended(receiver: Receiver, row: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Add a part; when the line breaks or somebody else was quicker, ask how far it is and go on from there."""
    for attempt in range(TRIES):
        try:
            return receiver.append(row["id"], row["offset"], data)
        except Conflict as error:
            if error.code != "upload.offset":
                raise
            return receiver.get(row["id"])
        except (OSError, http.client.HTTPException):
            time.sleep(0.2 * 2**attempt)
            try:
                now = receiver.get(row["id"])
            except (OSError, http.client.HTTPException):
                continue
            if now["offset"] != row["offset"]:
                return now
    raise _unreachable()


class ThisHome:
    """The home this command has opened."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def create(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        from shudu.collect import actions
        from shudu.collect.types import CreateUpload

        from .session import typed

        row = actions.create_upload(self.actor, typed(CreateUpload, **body), idempotency_key=key)
        return self.get(row.id)

    def get(self, upload: str) -> dict[str, Any]:
        from shudu.collect import queries
        from shudu.collect.api import Upload

        return Upload.of(queries.upload(self.actor, upload)).model_dump(mode="json")

    def append(self, upload: str, offset: int, data: bytes) -> dict[str, Any]:
        from shudu.collect import actions

        actions.append_upload(self.actor, upload, offset, data)
        return self.get(upload)

    def complete(self, upload: str, key: str) -> dict[str, Any]:
        from shudu.collect import actions

        actions.complete_upload(self.actor, upload, idempotency_key=key)
        return self.get(upload)


class Site:
    """Another machine's API, with a token that may write."""

    def __init__(self, address: str, token: str, language: str) -> None:
        parts = urlsplit(address if "//" in address else f"https://{address}")
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise Invalid(
                "upload.site",
                Text("站点地址须以 https:// 开头。", "The site's address begins with https://."),
                Text("令牌不会明文发往别的机器。", "A token is never sent to another machine in the clear."),
            )
        self.address, self.language = parts, language
        self.headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}

    def create(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        return self._patiently("POST", "/uploads", json.dumps(body).encode(), key)

    def get(self, upload: str) -> dict[str, Any]:
        return self._call("GET", f"/uploads/{upload}", None, {})

    def append(self, upload: str, offset: int, data: bytes) -> dict[str, Any]:
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/partial-upload"}
        return self._call("PATCH", f"/uploads/{upload}", data, headers)

    def complete(self, upload: str, key: str) -> dict[str, Any]:
        return self._patiently("POST", f"/uploads/{upload}/complete", b"", key)

    def _patiently(self, method: str, path: str, body: bytes, key: str) -> dict[str, Any]:
        """A call that its key makes harmless to repeat."""
        for attempt in range(TRIES):
            try:
                return self._call(method, path, body, {"Idempotency-Key": key, "Content-Type": "application/json"})
            except (OSError, http.client.HTTPException):
                time.sleep(0.2 * 2**attempt)
        raise _unreachable()

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        kind = http.client.HTTPSConnection if self.address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.address.hostname or "", self.address.port, timeout=TIMEOUT)
        try:
            place = f"{self.address.path.rstrip('/')}/api/v1{path}"
            connection.request(method, place, body, {**self.headers, **headers})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        try:
            told = json.loads(content)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise _unreachable(answer.status)
        if answer.status >= 400:
            raise _problem(answer.status, told)
        return told


def _problem(status: int, told: dict[str, Any]) -> ShuduError:
    """A site's problem as an error of ours, in the words it used."""
    detail, remedy = str(told.get("detail", "")), str(told.get("remedy", ""))
    kind = Conflict if status == 409 else Unavailable if status >= 500 else Invalid
    where = told.get("where")
    words = Text(remedy, remedy) if remedy else None
    code = str(told.get("code", "upload.site"))
    return kind(code, Text(detail, detail), words, where if isinstance(where, dict) else {})


def _unreachable(status: int = 0) -> Unavailable:
    said = Text("站点没有应答。", "The site does not answer.")
    if status:
        said = Text(f"站点的应答无法读取（{status}）。", f"The site's answer cannot be read ({status}).")
    return Unavailable(
        "upload.unreachable",
        said,
        Text("稍后再运行同一命令，会从中断处继续。", "Run the same command later: it goes on where it stopped."),
    )


@contextmanager
def _opened(file: Path) -> Iterator[BufferedReader]:
    try:
        source = file.open("rb") if file.is_file() else None
    except OSError:
        source = None
    if source is None:
        raise Invalid(
            "upload.file",
            Text("读不到要上传的文件。", "The file to upload cannot be read."),
            Text("请核对路径与权限。", "Check the path and its permissions."),
            {"file": file.name},
        )
    with source:
        yield source
