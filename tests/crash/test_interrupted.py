"""^C while a large file is published: a word, the code for it, and nothing left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import duckdb
import pytest

from crash.driver import readers
from journeys.console import PROVIDER, Console

SOON = 2.0  # seconds
SWEEP = """
import json
from shudu.cli.house import open_home
open_home(None)
from shudu.catalog.models import Asset
from shudu.lake import queries as lake
from shudu.lake.models import DataKey
lake.store().sweep(set(), older_than=0)
print(json.dumps([DataKey.objects.filter(state="active").count(), Asset.objects.count()]))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    console = Console(tmp_path_factory.mktemp("interrupted"))
    console.do("init")
    console.do("orgs", "create", PROVIDER, "--code", "91510100MA0000103G")
    with duckdb.connect() as connection:
        rows = "SELECT i AS no, i / 7 AS half, '甲乙' || i AS words FROM range(4_000_000) AS t(i)"
        for name, how in {
            "large.csv": "FORMAT csv, HEADER",
            "odd.csv": "FORMAT csv, HEADER, DELIMITER ';'",
            "large.json": "FORMAT json",
        }.items():
            connection.execute(f"COPY ({rows}) TO '{console.folder / name}' ({how})")
    yield console
    console.close()


# By the engine and the scan beside it; by way of the reader, a process of its own, at its start and well into it.
@pytest.mark.parametrize(
    ("name", "after"), [("large.csv", 0.6), ("large.json", 0.1), ("large.json", 2.0), ("odd.csv", 1.5)]
)
def test_nothing_is_left(home: Console, name: str, after: float) -> None:
    words = ["publish", name, "--owner", PROVIDER, "--title", "大表", "--level", "L3", "--key", "no"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shudu.cli", *words],
        cwd=home.folder,
        env=home.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts us in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    staging = home.home / "lake" / ".staging"
    until = time.monotonic() + 60
    while process.poll() is None and not (staging.is_dir() and list(staging.iterdir())):
        assert time.monotonic() < until, "it never begins to write"
        time.sleep(0.02)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < SOON
    assert (process.returncode, out) == (130, ""), err
    assert err.lstrip() == "已停止，未完成的写入已回滚 / stopped; unfinished writes were rolled back.\n"
    assert list(staging.iterdir()) == []
    assert readers(home.home) == []
    swept = subprocess.run([sys.executable, "-c", SWEEP], env=home.env, capture_output=True, text=True, check=True)
    assert json.loads(swept.stdout) == [0, 0], "no key and no table is left"
