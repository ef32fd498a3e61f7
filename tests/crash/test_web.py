"""kill -9 of the real web server during a POST through the API: the same call once more, and it is done once."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import encode_multipart

import ports
from shudu.config import supervisor

DRIVER = Path(__file__).with_name("driver.py")
TABLE = (Path(__file__).parents[2] / "docs" / "example" / "customers.csv").read_bytes()
BOUNDARY = "shudu-test-boundary"


@dataclass
class Site:
    """A home and the server on it, which is started again whenever it was killed."""

    home: Path
    env: dict[str, str]
    port: int
    secrets: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def tell(self, *words: object) -> dict[str, Any]:
        command = [sys.executable, "-m", "shudu.cli", *map(str, words), "--json"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120, check=True)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def start(self) -> None:
        command = [*supervisor.web(self.port)[:-1], "crash.armed:application"]
        tests = str(Path(__file__).parents[1])
        env = {**self.env, "POINT": os.devnull, "PYTHONPATH": tests, "DJANGO_SETTINGS_MODULE": "shudu.config.settings"}
        self.process = subprocess.Popen(command, env=env, start_new_session=True)
        self.starts += 1
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection,
            ):
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def post(self, who: str, path: str, body: bytes, kind: str, key: str, at: int = 0) -> tuple[int, Any, int] | None:
        """Status, answer and points passed; None when the server died of it. Starts the server when it is down."""
        if self.process is None:
            self.start()
        headers = {
            "Authorization": f"Bearer {self.secrets[who]}",
            "Content-Type": kind,
            "Idempotency-Key": key,
            "X-Kill-At": str(at),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", f"/api/v1{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()), int(answer.headers["X-Points"])
        except (OSError, http.client.HTTPException):
            self.kill()
            return None
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("web") / "home"
    subprocess.run([sys.executable, str(DRIVER), "prepare", str(home)], check=True, timeout=600)
    port = ports.free()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SHUDU_", "DJANGO_"))}
    site = Site(home, {**env, "SHUDU_HOME": str(home), "LANG": "C.UTF-8"}, port)
    for name in ("", ".keys"):  # the prepared home has a run going on: begin before it
        shutil.rmtree(f"{home}{name}")
        Path(f"{home}.template{name}").rename(f"{home}{name}")
    for who, name in {"buyer": "丙研究院", "provider": "甲数据公司"}.items():
        site.secrets[who] = site.tell("tokens", "create", name, "--write")["secret"]
    site.tell("accounts", "deposit", "丙研究院", "--yuan", "500000")
    yield site
    site.kill()


def kill_everywhere(site: Site, who: str, path: str, body: bytes, kind: str, every: int) -> int:
    """POST with a new key, killed at each point, then again with the same key; returns how many were made."""
    done = site.post(who, path, body, kind, f"{path}-whole")
    assert done
    assert done[0] == 201, done
    made, killed = {done[1]["id"]}, 0
    for at in range(1, done[2] + 1, every):
        key = f"{path}-{at}"
        if site.post(who, path, body, kind, key, at) is None:
            killed += 1
        again = site.post(who, path, body, kind, key)
        assert again
        assert again[0] == 201, (at, again)
        once_more = site.post(who, path, body, kind, key)
        assert once_more
        assert once_more[1]["id"] == again[1]["id"]
        made.add(again[1]["id"])
    assert killed >= done[2] // every - 1, "it was to die at every one of these points"
    assert len(made) == 1 + len(range(1, done[2] + 1, every))
    return len(made)


@pytest.mark.parametrize(
    ("orders", "files"), [pytest.param(3, 17, id="some"), pytest.param(1, 1, id="every", marks=pytest.mark.soak)]
)
@pytest.mark.timeout(1600)
def test_killed_during_a_post(site: Site, orders: int, files: int) -> None:
    with contextlib.closing(sqlite3.connect(site.home / "shudu.sqlite3")) as rows:
        [(offer,)] = rows.execute("SELECT id FROM agreements_offer").fetchall()
    body = json.dumps({"offer": offer, "purpose": "research"}).encode()
    ordered = kill_everywhere(site, "buyer", "/orders", body, "application/json", orders)
    fields = json.dumps({"title": "又一份", "key": "customer_no"})
    form = encode_multipart(BOUNDARY, {"fields": fields, "file": SimpleUploadedFile("a.csv", TABLE)})
    published = kill_everywhere(site, "provider", "/assets", form, f"multipart/form-data; boundary={BOUNDARY}", files)
    # What was acknowledged is there when the server dies the moment after.
    last = site.post("buyer", "/orders", body, "application/json", "the-last")
    site.kill()
    assert last
    assert site.tell("orders", "show", last[1]["id"], "--as", "丙研究院")["state"] == "placed"
    site.tell("ledger", "check")
    told = subprocess.run(
        [sys.executable, str(DRIVER), "look", str(site.home), str(1 + ordered + 1), str(2 + published), "50500000"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == []
