"""The locks are fresh, whole and addressless, and what they bring in may be used: checked without a network."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CORE = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
BUILD = [Requirement(line) for line in (ROOT / "locks" / "build.in").read_text("utf-8").split()]
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)==([^ ;]+)((?: *;[^\\\n]*)?)((?: *\\\n +--hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def lock(name: str) -> dict[str, str]:
    """Package → version, of a lock file."""
    text = (ROOT / "locks" / f"{name}.txt").read_text("utf-8")
    return {canonicalize_name(found[1]): found[2] for found in PINNED.finditer(text)}


@pytest.mark.parametrize("name", ["run", "all"])
def test_every_line_is_a_version_with_hashes_and_nothing_else(name: str) -> None:
    text = (ROOT / "locks" / f"{name}.txt").read_text("utf-8")
    assert PINNED.sub("", text).strip() == ""
    assert len(lock(name)) > 20


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("run", [*CORE, *EXTRAS["demo"], *BUILD]),
        ("all", [*CORE, *BUILD, *(one for lines in EXTRAS.values() for one in lines)]),
    ],
    ids=["run", "all"],
)
def test_the_lock_fits_what_pyproject_asks_for(name: str, wanted: list[Requirement]) -> None:
    pinned = lock(name)
    stale = [
        f"{one} is {pinned.get(canonicalize_name(one.name), 'not there')}"
        for one in wanted
        if not one.specifier.contains(pinned.get(canonicalize_name(one.name), "0"), prereleases=True)
    ]
    assert stale == [], "run `make lock`"


def test_what_runs_is_what_was_tested() -> None:
    run, everything = lock("run"), lock("all")
    assert {name: version for name, version in run.items() if everything.get(name) != version} == {}


def closure(requirements: list[Requirement]) -> set[str]:
    """Everything these requirements bring in here, themselves included."""
    seen: set[tuple[str, str]] = set()
    waiting = [(one.name, extra) for one in requirements for extra in ("", *one.extras)]
    while waiting:
        name, extra = waiting.pop()
        name = canonicalize_name(name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in metadata.requires(name) or []:
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(one.name, further) for further in ("", *one.extras)]
    return {name for name, _ in seen}


def licence(name: str) -> str:
    """All that a package says of its licence, in one line."""
    about = metadata.metadata(name)
    said = [about.get("License-Expression"), about.get("License"), *(about.get_all("Classifier") or [])]
    lines = [line.splitlines()[0] for line in said if line and line.strip()]
    return "; ".join(line for line in lines if "License ::" in line or " :: " not in line)


COPYLEFT = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public|\bSSPL|\bBUSL|Commons Clause", re.IGNORECASE)


def test_the_application_brings_in_no_copyleft() -> None:
    core = closure(CORE)
    assert {"django", "duckdb", "cryptography", "pyarrow"} <= core
    wrong = {name: licence(name) for name in core if COPYLEFT.search(licence(name))}
    assert wrong == {}
