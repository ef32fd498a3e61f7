"""The observers at work in a store: one writing, and key, sensitivities and level are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shudu.govern.detectors import SAMPLE
from shudu.govern.observers import KeyObserver, LevelObserver
from shudu.lake.actions import StoredDataKeys
from shudu.lake.keys import Keyring
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Stored

PLACE = Place("pty_one", "ast_one", "ver_one")
ROWS = 30_000


@pytest.fixture
def store(tmp_path: Path) -> DuckDBStore:
    keys = StoredDataKeys(Keyring(tmp_path / "keys"))
    return DuckDBStore(tmp_path / "home", keys, {"key": KeyObserver, "level": LevelObserver})


def publish(store: DuckDBStore, text: str, key: str | None) -> Stored:
    path = store.home.parent / "source.csv"
    path.write_text(text)
    return store.write_csv(path, PLACE, key=key)


def people(rows: int) -> str:
    lines = (f"K{n},138{n:08d},{'武侯区' if n % 2 else '锦江区'},{n / 4},\n" for n in range(rows))
    return "no,手机,district,fee,remark\n" + "".join(lines)


def test_key_and_level_of_a_table(store: DuckDBStore) -> None:
    stored = publish(store, people(ROWS), "no")
    assert stored.observations["key"] == {"column": "no", "rows": ROWS, "distinct": ROWS, "empty": 0}
    level = stored.observations["level"]
    assert level["level"] == "L4"
    assert level["columns"] == {
        "手机": {
            "kind": "mobile",
            "sensitivity": "direct_identifier",
            "confidence": "medium",
            "matched": SAMPLE,
            "examined": SAMPLE,
        }
    }
    assert {each.name: each.sensitivity for each in stored.columns if each.sensitivity} == {"手机": "direct_identifier"}
    # What is kept holds no value of the table, and survives the database's JSON.
    kept = json.dumps(stored.observations, ensure_ascii=False)
    assert json.loads(kept) == stored.observations
    assert "13800000001" not in kept
    assert "武侯区" not in kept


def test_a_sparse_column_is_found_wherever_its_values_stand(store: DuckDBStore) -> None:
    rows = "".join(f"K{n},{'510104199003071237' if n == ROWS - 1 else ''}\n" for n in range(ROWS))
    stored = publish(store, f"no,remark\n{rows}", "no")
    assert stored.observations["level"]["columns"]["remark"]["kind"] == "citizen_id"


def test_a_table_without_key_or_persons(store: DuckDBStore) -> None:
    stored = publish(store, "district,fee\n武侯区,1\n", None)
    assert stored.observations["key"] == {"column": None, "rows": 1}
    assert stored.observations["level"]["level"] == "L2"
    assert stored.observations["level"]["columns"] == {}
