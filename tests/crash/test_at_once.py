"""Several people publish at once, at the command line and through a real server: each is told yes or told who was
first, and whatever got a yes is there."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import encode_multipart

import ports
from journeys.console import PROVIDER, Console
from shudu.config import supervisor

BASE, EACH = 300, 40  # rows of the first version, and of each file that is appended
OVERTAKEN = "version.overtaken"
BOUNDARY = "shudu-test-boundary"
# What a writer is told: the id of what it made, or the code of its refusal.
Told = tuple[str, str]
Publish = Callable[[str, Path, dict[str, str]], Told]


def rows(name: str, number: int) -> str:
    return "no,words\n" + "".join(f"{name}-{each:04d},甲乙 {each}\n" for each in range(number))


def by_hand(console: Console) -> Publish:
    """Somebody at the command line; asset "" makes a new one."""

    def publish(asset: str, file: Path, fields: dict[str, str]) -> Told:
        words = ["assets", "update", asset, file, "--as"] if asset else ["publish", file, "--owner"]
        options = [word for name, value in fields.items() for word in (f"--{name}", value)]
        said = console.say(*words, PROVIDER, *options, "--json")
        assert said.code in (0, 1), said
        assert not said.err, said.err
        return (said.json["id"], "") if said.code == 0 else ("", said.error)

    return publish


def by_api(port: int, secret: str) -> Publish:
    def publish(asset: str, file: Path, fields: dict[str, str]) -> Told:
        path = f"/api/v1/assets/{asset}/versions" if asset else "/api/v1/assets"
        form = {"fields": json.dumps(fields), "file": SimpleUploadedFile(file.name, file.read_bytes())}
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Idempotency-Key": os.urandom(8).hex(),
        }
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", path, encode_multipart(BOUNDARY, form), headers)
            answer = connection.getresponse()
            told: dict[str, Any] = json.loads(answer.read())
        assert answer.status in (201, 409), (answer.status, told)
        return (told["id"], "") if answer.status == 201 else ("", told["code"])

    return publish


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path)
    console.do("init")
    console.do("orgs", "create", PROVIDER, "--code", "91510100MA0000103G")
    yield console
    console.close()


@pytest.fixture
def writers(home: Console, tmp_path: Path) -> Iterator[dict[str, Publish]]:
    """Two people with a process each at the command line, and two callers of one server."""
    secret = home.do("tokens", "create", PROVIDER, "--write")["secret"]
    port = ports.free()
    env = {**home.env, "DJANGO_SETTINGS_MODULE": "shudu.config.settings"}
    server = subprocess.Popen(supervisor.web(port), env=env, start_new_session=True)
    hands = [home]
    other = tmp_path / "other"
    other.mkdir()
    hands.append(Console(other))
    hands[1].home, hands[1].env = home.home, home.env
    try:
        until = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)
        yield {
            "hand": by_hand(hands[0]),
            "other-hand": by_hand(hands[1]),
            "call": by_api(port, secret),
            "other-call": by_api(port, secret),
        }
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        hands[1].close()


def answers(port: int) -> bool:
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection,
    ):
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    return False


def test_nothing_acknowledged_is_lost(home: Console, writers: dict[str, Publish], tmp_path: Path) -> None:
    base = tmp_path / "base.csv"
    base.write_text(rows("base", BASE), "utf-8")
    made = home.do("publish", base, "--owner", PROVIDER, "--title", "总表", "--key", "no")["id"]
    first = home.do("assets", "versions", made)["versions"][0]["id"]
    files = {}
    for name in writers:
        files[name] = tmp_path / f"{name}.csv"
        files[name].write_text(rows(name, EACH), "utf-8")
    gates = [threading.Barrier(len(writers)) for _ in range(2)]

    def write(name: str) -> tuple[list[Told], str]:
        """On the version all have seen; then again until it is in; and a table of one's own, under a key."""
        publish, file = writers[name], files[name]
        gates[0].wait()
        told = [publish(made, file, {"mode": "append", "expected": first})]
        gates[1].wait()
        while told[-1][1]:
            assert len(told) < 40, "overtaken again and again"
            told.append(publish(made, file, {"mode": "append"}))
        own = publish("", file, {"title": name, "level": "L3"})
        assert own[1] == "", own
        return told, own[0]

    with ThreadPoolExecutor(len(writers)) as pool:
        came = dict(zip(writers, pool.map(write, writers), strict=True))

    assert {code for told, _ in came.values() for _, code in told} == {"", OVERTAKEN}
    assert Counter(told[0][1] for told, _ in came.values()) == {"": 1, OVERTAKEN: 3}, "exactly one wins"
    acknowledged = {first, *(told[-1][0] for told, _ in came.values())}
    with contextlib.closing(sqlite3.connect(home.home / "shudu.sqlite3")) as database:
        versions = database.execute(
            "SELECT v.id, number, rows, files FROM catalog_version v JOIN catalog_binding b ON b.id = binding_id"
            " WHERE asset_id = ? ORDER BY number",
            [made],
        ).fetchall()
        codes = database.execute("SELECT id, code FROM catalog_asset").fetchall()
    assert {version for version, *_ in versions} == acknowledged
    assert [number for _, number, *_ in versions] == list(range(1, len(writers) + 2))
    assert [count for _, _, count, _ in versions] == [BASE + EACH * more for more in range(len(writers) + 1)]
    keys = [
        key
        for file in json.loads(versions[-1][3])
        for key in pq.read_table(home.home / file["path"], columns=["no"])["no"].to_pylist()
    ]
    expected = [f"base-{n:04d}" for n in range(BASE)] + [f"{name}-{n:04d}" for name in writers for n in range(EACH)]
    assert sorted(keys) == sorted(expected), "each row once"

    assert {asset for asset, _ in codes} == {made, *(own for _, own in came.values())}
    assert len({code for _, code in codes}) == len(codes), "no code is given twice"
    for _, own in came.values():
        home.do("assets", "show", own)
    home.do("ledger", "check")
    assert not list((home.home / "lake" / ".staging").iterdir())
