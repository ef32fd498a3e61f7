"""kill -9 on the way of an upload: of the sender in the middle of a part, and of the server at each step of one."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ports
from crash.test_web import Site
from journeys.console import PROVIDER, PROVIDER_CODE, Console

MIB = 1 << 20


class Line(socketserver.ThreadingTCPServer):
    """A line to the site that counts what a sender sends, and after `most` bytes carries no more until it is cut."""

    daemon_threads = True

    def __init__(self, port: int, most: int = sys.maxsize) -> None:
        super().__init__(("127.0.0.1", 0), Carry)
        self.to, self.most, self.carried = port, most, 0
        self.stuck, self.cut = threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Carry(socketserver.BaseRequestHandler):
    """One connection."""

    server: Line

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.to)) as site:
            back = threading.Thread(target=self.carry_back, args=(site,), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while came := self.request.recv(65_536):
                    if self.server.carried + len(came) > self.server.most:
                        self.server.stuck.set()
                        self.server.cut.wait(60)
                        break
                    self.server.carried += len(came)
                    site.sendall(came)
            with contextlib.suppress(OSError):
                site.shutdown(socket.SHUT_WR)
            back.join(60)

    def carry_back(self, site: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while came := site.recv(65_536):
                self.request.sendall(came)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A real server on a home with one organisation that sends."""
    console = Console(tmp_path_factory.mktemp("uploads"))
    console.do("init")
    console.do("orgs", "create", PROVIDER, "--code", PROVIDER_CODE)
    secret = console.do("tokens", "create", PROVIDER, "--write")["secret"]
    console.close()
    port = ports.free()
    site = Site(console.home, console.env, port, {"provider": secret})
    site.start()
    yield site
    site.kill()


def call(site: Site, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, int] | None:
    """Status, answer and points passed; None when the server died of it."""
    told = {"Authorization": f"Bearer {site.secrets['provider']}", "Content-Type": "application/json"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    try:
        connection.request(method, f"/api/v1{path}", body, told)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), int(answer.headers["X-Points"])
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def done(answer: tuple[int, Any, int] | None) -> Any:
    assert answer is not None
    assert answer[0] < 300, answer
    return answer[1]


def a_file(place: Path, size: int) -> bytes:
    data = random.Random(size).randbytes(size)
    place.write_bytes(data)
    return data


def sending(site: Site, file: Path, to: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "shudu.cli", "uploads", "send", str(file), "--site", to, "--json"]
    env = {**site.env, "SHUDU_TOKEN": site.secrets["provider"], "SHUDU_HOME": str(file.parent / "of-the-sender")}
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_sender_goes_on_where_it_was_acknowledged(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    data = a_file(file, 20 * MIB)
    with Line(site.port, most=11 * MIB) as line:  # the first part of 8 MiB passes, the second gets stuck
        sender = sending(site, file, line.address)
        assert line.stuck.wait(60)
        sender.send_signal(signal.SIGKILL)
        sender.communicate()
        line.cut.set()
        [upload] = done(call(site, "GET", "/uploads"))["items"]
        offset, until = -1, time.monotonic() + 30
        while offset != (now := done(call(site, "GET", f"/uploads/{upload['id']}"))["offset"]):
            assert time.monotonic() < until
            offset = now
            time.sleep(0.3)  # until the server, too, knows that the line is dead
        line.shutdown()
    assert 8 * MIB <= offset < 11 * MIB
    with Line(site.port) as line:
        out, err = sending(site, file, line.address).communicate(timeout=60)
        line.shutdown()
    told = json.loads(out)
    assert told["id"] == upload["id"], err
    assert (told["state"], told["offset"]) == ("complete", len(data))
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert 0 < line.carried - (len(data) - offset) < 16_384, "what was acknowledged is not sent again"
    [kept] = (site.home / "received").glob(f"*/{upload['id']}")
    assert kept.read_bytes() == data


@pytest.mark.parametrize(
    "every",
    [pytest.param(13, id="some"), pytest.param(1, id="every", marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
)
def test_a_server_killed_within_a_part_loses_nothing_acknowledged(site: Site, tmp_path: Path, every: int) -> None:
    data = a_file(tmp_path / "part.csv", 9 * MIB)  # a PATCH acknowledged to itself in three
    sha256 = hashlib.sha256(data).hexdigest()

    def announced(key: str) -> str:
        body = json.dumps({"name": "part.csv", "size": len(data), "sha256": sha256}).encode()
        return str(done(call(site, "POST", "/uploads", body, Idempotency_Key=key))["id"])

    def append(upload: str, offset: int, at: int = 0) -> tuple[int, Any, int] | None:
        kind = {"Content_Type": "application/partial-upload", "Upload_Offset": str(offset), "X_Kill_At": str(at)}
        return call(site, "PATCH", f"/uploads/{upload}", data[offset:], **kind)

    whole = append(announced(f"whole-{every}"), 0)
    assert done(whole)["offset"] == len(data)
    assert whole is not None
    points = whole[2]
    assert points >= 12, "fsync and commit, before and after, of each of three"
    seen, killed = set(), 0
    for at in range(2, points + 1, every):
        upload = announced(f"{every}-{at}")
        if append(upload, 0, at) is None:
            killed += 1
            site.kill()
            site.start()
        offset = done(call(site, "GET", f"/uploads/{upload}"))["offset"]
        assert offset in (0, 4 * MIB, 8 * MIB, len(data)), at
        seen.add(offset)
        [kept] = (site.home / "received").glob(f"*/{upload}")
        assert kept.read_bytes()[:offset] == data[:offset], "what is told to be here is here"
        if offset < len(data):
            done(append(upload, offset))
        told = done(call(site, "POST", f"/uploads/{upload}/complete", Idempotency_Key=f"c-{every}-{at}"))
        assert told["state"] == "complete"
        assert kept.read_bytes() == data
        os.unlink(kept)
    assert killed >= len(range(2, points + 1, every)) - 1, "it was to die at every one of these points"
    assert len(seen) >= 2, "before and after something was acknowledged"
