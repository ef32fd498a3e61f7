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
        connection.execute(
            "COPY (SELECT i AS no, i / 7 AS half, '甲乙' || i AS words FROM range(2_000_000) AS t(i))"
            f" TO '{console.folder / 'large.csv'}' (FORMAT csv, HEADER)"
        )
    yield console
    console.close()


def test_nothing_is_left(home: Console) -> None:
    words = ["publish", "large.csv", "--owner", PROVIDER, "--title", "大表", "--level", "L3", "--key", "no"]
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
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert err.lstrip() == "已停止，未完成的写入已回滚 / stopped; unfinished writes were rolled back.\n"
    assert list(staging.iterdir()) == []
    assert readers(home.home) == []
    swept = subprocess.run([sys.executable, "-c", SWEEP], env=home.env, capture_output=True, text=True, check=True)
    assert json.loads(swept.stdout) == [0, 0], "no key and no table is left"
