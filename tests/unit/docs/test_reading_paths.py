"""Nobody reads rows but through a `View`, and views are made in one place: no read path can forget filter or mask."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from shudu.lake.store import DuckDBStore, TableStore
from unit.docs.test_structure import MODULES, name

# Functions that answer with rows, or with something of rows, of a version's table.
READING = {"read_table", "measure", "measure_groups", "export_ipc", "recheck", "hand_over"}
# Those that hand out a stored file as it is, and what keeps them to files that are whole by right.
WHOLE_FILES = {
    "read_file": "results, models' cards and evidence, each behind a rule of its own",
    "copy_file": "results",
    "table_bytes": "a file's rejected rows, for its owner",
}
# What takes whole tables: how two versions differ, which the catalogue shows their owner, and what makes a new version.
TABLES = {"compare", "again"}
OWNERS = {
    "catalog/correcting.py": "its owner's rejected rows, and whether a corrected key is in the table already",
    "collect/queries.py": "its owner's feed goes on behind the largest value of its watermark",
    "govern/actions.py": "its owner counts a table by its rules",
}
BUILDERS = {"agreements/view.py"}


def methods() -> Iterator[tuple[str, inspect.Signature]]:
    for method, function in inspect.getmembers(TableStore, inspect.isfunction):
        if not method.startswith("_"):
            yield method, inspect.signature(function)


def test_whatever_reads_rows_takes_a_view() -> None:
    rows = {
        method
        for method, signature in methods()
        if "files" in signature.parameters and "Mapping" not in str(signature.parameters["files"].annotation)
    }
    assert rows == READING
    for method, signature in methods():
        assert (str(getattr(signature.parameters.get("view"), "annotation", "")) == "View") == (method in READING)
    handing = {method for method, signature in methods() if "file" in signature.parameters}
    assert handing == set(WHOLE_FILES)
    whole = {
        method
        for method, signature in methods()
        if "Table" in {str(one.annotation) for one in signature.parameters.values()}
    }
    assert whole == TABLES
    assert {method for method, _ in methods()} <= set(dir(DuckDBStore))


def calls(path: Path, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def is_store(node: ast.expr) -> bool:
    """`store` or `….store()`."""
    return (isinstance(node, ast.Name) and node.id == "store") or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "store"
    )


OUTSIDE = [path for path in MODULES if not name(path).startswith("lake/")]


def test_every_call_of_a_reading_function_passes_a_view_from_the_one_place() -> None:
    found = 0
    for path in OUTSIDE:
        for call in calls(path, READING):
            if not (isinstance(call.func, ast.Attribute) and is_store(call.func.value)):
                continue
            found += 1
            views = [
                node
                for node in [*call.args, *(keyword.value for keyword in call.keywords)]
                if (isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith(("view", "view_of")))
                or (isinstance(node, ast.Name) and node.id in ("EVERYTHING", "view"))
            ]
            assert len(views) == 1, f"{name(path)}:{call.lineno}"
    assert found >= 3


def test_views_are_made_in_one_place_and_everything_is_read_by_its_owner_only() -> None:
    assert {name(path) for path in OUTSIDE for _ in calls(path, {"View"})} == BUILDERS
    whole = {name(path) for path in OUTSIDE if "EVERYTHING" in path.read_text("utf-8")}
    assert whole == set(OWNERS)
