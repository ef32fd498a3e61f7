"""The main job once through the real server and a real worker, as somebody with curl would do it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import encode_multipart

import ports
from journeys.console import BUYER, MODELLER, PROVIDER, Console

from .conftest import MODEL, TABLE, TERMS, new_key

BOUNDARY = "shudu-test-boundary"


@dataclass
class Answer:
    status: int
    headers: Any
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Server:
    port: int

    def call(self, secret: str, method: str, path: str, body: bytes | None = None, kind: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {secret}", "Accept-Language": "en"}
        if method != "GET":
            headers["Idempotency-Key"] = new_key()
        if kind:
            headers["Content-Type"] = kind
        address = f"http://127.0.0.1:{self.port}/api/v1{path}"
        request = urllib.request.Request(address, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def send(self, secret: str, path: str, body: Any = None) -> Answer:
        return self.call(secret, "POST", path, json.dumps(body or {}).encode(), "application/json")

    def upload(self, secret: str, path: str, fields: Any, file: bytes) -> Answer:
        form = {"fields": json.dumps(fields), "file": SimpleUploadedFile("a.csv", file)}
        return self.call(
            secret, "POST", path, encode_multipart(BOUNDARY, form), f"multipart/form-data; boundary={BOUNDARY}"
        )


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path)
    console.env["SHUDU_MAX_UPLOAD_MB"] = "1"
    yield console
    console.close()


@pytest.fixture
def server(console: Console) -> Iterator[Server]:
    """`shudu up` on a home of its own, with a free port, until the test ends."""
    console.do("init")
    console.register()
    port = ports.free()
    with (console.folder / "up.err").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "shudu.cli", "up"],
            env={**console.env, "SHUDU_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield Server(port)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "Traceback" not in (console.folder / "up.err").read_text()


def test_the_main_job_through_the_real_server(console: Console, server: Server) -> None:
    console.do("accounts", "deposit", BUYER, "--yuan", "10000")
    secret = {org: console.do("tokens", "create", org, "--write")["secret"] for org in (PROVIDER, MODELLER, BUYER)}
    fields = {"title": "客户", "key": "customer_no"}

    table = server.upload(secret[PROVIDER], "/assets", fields, TABLE)
    assert table.status == 201, table.content
    fields = {"inputs": ["tenure", "contract"]}
    model = server.upload(secret[MODELLER], "/models", fields, MODEL)
    assert model.status == 201, model.content
    body = {**TERMS, "data": table.json["id"], "model": model.json["id"]}
    offer = server.send(secret[PROVIDER], "/offers", body).json["id"]
    for org in (PROVIDER, MODELLER):
        assert server.send(secret[org], f"/offers/{offer}/accept").status == 200
    order = server.send(secret[BUYER], "/orders", {"offer": offer, "purpose": "research"}).json["id"]
    started = server.send(secret[BUYER], f"/orders/{order}/runs")
    assert started.status == 202
    place = started.headers["Location"].removeprefix("/api/v1")
    until = time.monotonic() + 60
    while (run := server.call(secret[BUYER], "GET", place).json)["state"] == "queued" and time.monotonic() < until:
        time.sleep(0.2)
    assert run["state"] == "closed", run
    while server.call(secret[BUYER], "GET", f"{place}/receipt").status == 409 and time.monotonic() < until:
        time.sleep(0.2)

    product = server.call(secret[BUYER], "GET", f"/results/{run['result']['asset']}/product.csv")
    assert product.headers["ETag"] == f'"{hashlib.sha256(product.content).hexdigest()}"'
    receipt = server.call(secret[BUYER], "GET", f"{place}/receipt")
    assert receipt.status == 200
    # What came over HTTP is what the command line verifies offline.
    for name, content in (("receipt.json", receipt.content), ("product.csv", product.content)):
        (console.folder / name).write_bytes(content)
    console.do("ledger", "key", "-o", "log.key")
    said = console.do("receipts", "verify", "receipt.json", "--key", "log.key", "--product", "product.csv")
    assert said["ok"]

    large = b"customer_no,a\n" + b"K0001,one\n" * 300_000
    refused = server.upload(secret[PROVIDER], "/assets", {"title": "大", "key": "customer_no"}, large)
    assert (refused.status, refused.json["code"]) == (413, "upload.too_large")
    assert server.call("shudu_none", "GET", "/me").json["code"] == "token.unknown"
    assert [path for path in (console.home / "uploads").iterdir() if path.is_dir()] == []
    assert os.stat(console.home / "uploads").st_mode & 0o077 == 0
