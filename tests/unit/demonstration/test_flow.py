"""Loading: everything is there and labelled; again changes nothing; killed anywhere, the next load makes it whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STATE = Path(__file__).with_name("state.py")
LEVELS = ["L1", "L2", "L3", "L4"]


@dataclass
class Load:
    ids: dict[str, str]
    everything: dict[str, str]
    sign_ins: list[str]
    seconds: float
    state: dict[str, Any]


def environment(home: Path) -> dict[str, str]:
    # A short lease, so that a run whose worker was killed is taken over soon.
    return {**os.environ, "SHUDU_HOME": str(home), "SHUDU_KEYS": f"{home}.keys", "SHUDU_LEASE_SECONDS": "3"}


LOAD = """
import json, os, sys
from pathlib import Path
from shudu.cli.house import open_home
options = open_home(None)
from shudu.cli.demonstration import flow
loaded = flow.load(options.home, options.keys, lambda text: print(text.zh, file=sys.stderr))
print(json.dumps([loaded.ids, loaded.everything, sorted(loaded.sign_ins)]))
"""


def start(home: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", LOAD]
    return subprocess.Popen(
        words, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def load(home: Path) -> Load:
    began = time.monotonic()
    process = start(home)
    out, err = process.communicate(timeout=300)
    seconds = time.monotonic() - began
    assert process.returncode == 0, err[-4000:]
    assert "Traceback" not in err
    ids, everything, sign_ins = json.loads(out)
    return Load(ids, everything, sign_ins, seconds, state(home))


def state(home: Path) -> dict[str, Any]:
    words = [sys.executable, str(STATE), str(home)]
    done = subprocess.run(words, env=environment(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demonstration") / "home"


@pytest.fixture(scope="module")
def loaded(home: Path) -> Load:
    first = load(home)
    print(f"\nthe demonstration loaded in {first.seconds:.1f} s")
    return first


def test_nothing_is_wrong(loaded: Load) -> None:
    assert not any(loaded.state["wrong"].values()), loaded.state["wrong"]
    assert loaded.state["reserved"] == 0


def test_the_cast_is_there(loaded: Load) -> None:
    from shudu.identity.codes import check_uscc, doubts

    found = loaded.state
    assert (found["parties"]["authority"], found["parties"]["auditor"], found["parties"]["operator"]) == (1, 1, 1)
    kinds = [code[:2] for code in found["codes"]]
    assert kinds.count("11") == 6 + 2
    assert kinds.count("91") + kinds.count("52") == 10 + 1  # and the operating company
    for code in found["codes"]:
        assert check_uscc(code) == code
        assert doubts(code) == ()
    assert loaded.sign_ins == ["auditor", "authority", "buyer", "health", "modeller", "operator", "provider"]


def test_every_table_is_labelled_described_and_at_the_level_its_columns_call_for(loaded: Load) -> None:
    tables = loaded.state["tables"]
    assert len(tables) == 8
    for title, table in tables.items():
        real = "真实数据行" in title
        assert real != ("合成数据" in title), title
        assert table["origin"] == ("real rows, synthetic key" if real else "synthetic")
        assert table["gaps"] == []
        assert table["state"] == "active"
        assert table["share_type"] in ((None,) if real else ("1", "2"))
        # Open data are open by decision; everything else is at least as strict as suggested.
        assert table["level"] == "L1" or table["level"] >= table["suggested"], title
        if table["suggested"] > "L2":
            assert table["level"] == table["suggested"], title
    assert sorted({table["level"] for table in tables.values()}) == LEVELS


def test_no_page_is_empty(loaded: Load) -> None:
    found = loaded.state
    assert found["offers"] == {"drafted": 1, "live": 7, "withdrawn": 1}
    assert found["agreements"]["revoked"] == 1
    assert found["orders"]["settled"] >= 7
    assert found["orders"]["failed"] == 1
    assert not {"placed", "running"} & set(found["orders"])
    assert found["runs"] == {"compute/closed/": 10, "compute/failed/release.withheld": 1, "delivery/closed/": 4}
    assert found["settlements"] == {"released": 1, "settled": 10}


def test_the_trees_are_measured_on_customers_they_were_not_fitted_on(loaded: Load) -> None:
    """Release class B: what the model card says of them holds, and what leaves is a table of metrics."""
    found = loaded.state["metrics"]
    assert set(found) == {"auc", "ks", "log_loss", "entities", "positives", "negatives"}
    assert found["auc"] == pytest.approx(0.82, abs=0.03)
    assert found["entities"] == found["positives"] + found["negatives"] == 3521


def test_loading_again_changes_nothing(loaded: Load, home: Path) -> None:
    again = load(home)
    print(f"\nand again in {again.seconds:.1f} s")
    assert (again.ids, again.everything, again.sign_ins) == (loaded.ids, loaded.everything, loaded.sign_ins)
    assert again.state == loaded.state


@pytest.mark.timeout(300)
def test_killed_in_the_middle_the_next_load_makes_it_whole(loaded: Load, tmp_path: Path) -> None:
    """Killed twice at random points, the second load going on where the first was ended."""
    home = tmp_path / "home"
    chance = random.Random()
    kills = 0
    for part in (0.4, 0.2):  # far enough from the end for a machine that has become twice as fast meanwhile
        process = start(home)
        pause = loaded.seconds * part * chance.uniform(0.5, 1)
        try:
            process.communicate(timeout=pause)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
            process.communicate()
        print(f"\nkilled after {pause:.2f} s")
    whole = load(home)
    assert kills >= 1
    # Files of a publication that was killed before its transaction lie in the lake until the sweep; rows do not.
    assert whole.state == loaded.state
    assert whole.everything.keys() == loaded.everything.keys()
    shutil.rmtree(home)
