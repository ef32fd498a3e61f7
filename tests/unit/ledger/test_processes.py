"""Several sequencers at once, and one killed again and again: nothing lost, nothing doubled, one root for each size."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("floor_zero.py")


def start(home: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(PROGRAM), str(home), *command], stdout=subprocess.PIPE, text=True)


def run(home: Path, *command: str) -> str:
    process = start(home, *command)
    output, _ = process.communicate()
    assert process.returncode == 0
    return output


def report(home: Path) -> dict[str, Any]:
    """What an independent reader and the log's own check find, once all is quiet."""
    found: dict[str, Any] = json.loads(run(home, "report"))
    assert found["findings"] == []
    assert found["heads"][str(found["size"])] == found["root"]
    assert (found["waiting"], found["rows"]) == (0, found["size"])
    return found


def test_three_sequencers_and_a_writer_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(home, "prepare", "900")
    processes = [start(home, "sequence", "30") for _ in range(3)] + [start(home, "write", "100")]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    run(home, "sequence", "1000")
    assert report(home)["size"] == 1001


def test_a_sequencer_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(2026)
    run(home, "prepare", "2000")
    seen: dict[str, str] = {}
    interrupted = 0
    for _ in range(6):
        process = start(home, "sequence", "150")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.1))
        interrupted += process.poll() is None
        process.kill()
        process.communicate()
        found = json.loads(run(home, "heads"))
        assert seen.items() <= found["heads"].items(), "a size changed its root"
        assert found["waiting"] + max(map(int, found["heads"]), default=0) == found["rows"]
        seen = found["heads"]
    assert interrupted
    run(home, "sequence", "1000")
    found = report(home)
    assert found["size"] == 2001
    assert seen.items() <= found["heads"].items()
