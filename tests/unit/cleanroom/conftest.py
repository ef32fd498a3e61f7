"""A small scorecard, tables as the sandbox takes them, and a folder for one job."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shudu.cleanroom.sandbox import JobSpec, Limits, OutputSpec, job_folder

Card = dict[str, Any]

CARD: Card = {
    "format": "shudu-scorecard/1",
    "name": "Loyalty",
    "base": 10,
    "inputs": [
        {
            "column": "tenure",
            "kind": "number",
            "bins": [
                {"from": None, "to": 12, "points": -5},
                {"from": 12, "to": 24.5, "points": 0},
                {"from": 24.5, "to": None, "points": 7.5},
            ],
            "missing": -1,
        },
        {"column": "contract", "kind": "category", "points": {"一年": 3, "month": -2}, "other": 0, "missing": 1},
    ],
    "output": {"name": "score", "min": 0, "max": 25},
    "card": {
        "task": "Who stays",
        "trained_on": "Made-up customers",
        "intended_use": "Tests",
        "limits": "Not for people",
        "contact": "models@example.org",
    },
}
INPUTS = (("tenure", "number"), ("contract", "category"))


@pytest.fixture
def card() -> Card:
    """A scorecard that is accepted, to be spoiled by the test."""
    return copy.deepcopy(CARD)


def write_ipc(path: Path, table: pa.Table, batch_rows: int = 100_000) -> Path:
    """The table as an uncompressed Arrow IPC file."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return path


def people(rows: int) -> pa.Table:
    """Rows for `CARD` with every kind of value it knows."""
    return pa.table(
        {
            "tenure": pa.array([None if i % 7 == 0 else float(i % 40) for i in range(rows)]),
            "contract": pa.array([("一年", "month", "else", None)[i % 4] for i in range(rows)]),
        }
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A job's folder, which must be gone when the test is."""
    with job_folder() as made:
        yield made
    assert not made.exists()


HouseRules = Callable[[str], None]


@pytest.fixture
def house_rules(home: Path) -> Iterator[HouseRules]:
    """Writes release_policy.toml of the home, for this test."""
    file = home / "release_policy.toml"

    def write(text: str) -> None:
        file.write_text(text, encoding="utf-8")

    yield write
    file.unlink(missing_ok=True)


JobMaker = Callable[..., JobSpec]


@pytest.fixture
def make_job(folder: Path) -> JobMaker:
    """A job on `rows` rows; `model` is any JSON, for scripts that take their orders from it."""

    def make(rows: int = 1_000, model: Any = CARD, **limits: Any) -> JobSpec:
        data = write_ipc(folder / "data.arrow", people(rows))
        output = OutputSpec("score", 0.0, 25.0)
        return JobSpec("scorecard", json.dumps(model).encode(), data, rows, INPUTS, output, Limits(**limits))

    return make
