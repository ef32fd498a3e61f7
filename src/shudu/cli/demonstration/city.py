"""The invented city 锦官市: seven tables from one seed. The same seed gives the same bytes.

    python -m shudu.cli.demonstration.city FOLDER

Nothing in them is measured, and nobody in them exists; docs/demonstration.md says what is in each and how it was made.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .air import STATIONS, readings, stations
from .chance import Chance
from .enterprises import FIRMS, enterprises
from .residents import insurance, outpatient
from .streets import bus, parking

SEED = 510_100
Columns = Mapping[str, list[Any]]
# File name → how it is made, and how many rows it has.
TABLES: dict[str, tuple[Callable[[Chance, int], Columns], int]] = {
    "enterprises": (enterprises, FIRMS),
    "parking": (parking, 20_000),
    "bus": (bus, 20_000),
    "outpatient": (outpatient, 12_000),
    "insurance": (insurance, 10_000),
    "readings": (readings, STATIONS * 365),
    "stations": (stations, STATIONS),
}


def table(name: str, seed: int = SEED, rows: int | None = None) -> Columns:
    """One table as columns; None is an empty cell."""
    make, usual = TABLES[name]
    return make(Chance(seed, name), usual if rows is None else rows)


def write(columns: Columns, target: Path) -> None:
    """UTF-8, commas, a header; lines end in a line feed."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def generate(folder: Path, seed: int = SEED) -> None:
    """Write every table into `folder`, named for what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        write(table(name, seed), folder / f"{name}.csv")


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
