"""Reading terms back from JSON: old versions are brought up to date, anything unknown is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shudu.policy.types import Invalid, Text

from .operands import label_of
from .terms import VERSION, Carried, Nothing, Onward, Terms

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
MODEL = TypeVar("MODEL", bound=BaseModel)

# From each older version to the next: `UPCASTERS[1]` will make version 2 out of version 1. A stored row keeps its own
# version and digest for ever; only what is read from it is brought up to date.
UPCASTERS: dict[int, Upcaster] = {1: lambda row: _metrics_and_review(row), 2: lambda row: _no_masks(row)}


def _metrics_and_review(row: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: releases may name metrics of a label, and ask for a person's look; none did."""
    use = row.get("use")
    release = use.get("release") if isinstance(use, dict) else None
    if isinstance(use, dict) and isinstance(release, dict):
        row = {**row, "use": {**use, "release": {"label": None, "metrics": [], "review": False, **release}}}
    return {**row, "v": 2}


def _no_masks(row: dict[str, Any]) -> dict[str, Any]:
    """From 2 to 3: columns may be masked, and rows told apart by more; no column was."""
    use = row.get("use")
    if isinstance(use, dict):
        row = {**row, "use": {"masks": {}, "clear": [], **use}}
    return {**row, "v": 3}


# What pydantic adds to the place of an error when it tries the branches of a union.
_BRANCHES = ("given", "word", "int", "float", "str")
_UNKNOWN = ("extra_forbidden", "enum", "literal_error")
_REMEDY = Text("请对照使用条件的字段表修改后重试。", "Correct it by the table of operands and try again.")


def from_json(row: Any) -> Terms:
    """Terms from JSON of any version.

    Raises `Invalid` naming the operand: `terms.unknown` (operand or code), `.missing`, `.invalid`, `.version`.
    """
    return _read(Terms, upcast(row))


def onward_from_json(row: Any) -> Onward | Nothing:
    """What a derived asset carries, from its row; errors as `from_json`."""
    return _read(Carried, upcast(row)).onward


def upcast(row: Any, upcasters: Mapping[int, Upcaster] = UPCASTERS, present: int = VERSION) -> dict[str, Any]:
    """`row` brought to version `present` step by step; `Invalid` for a version nobody knows."""
    if not isinstance(row, dict):
        raise Invalid("terms.invalid", Text("使用条件应为一个对象。", "Terms are one object."), _REMEDY)
    version = row.get("v")
    while type(version) is not int or version != present:
        if type(version) is not int or version not in upcasters:
            raise Invalid(
                "terms.version",
                Text("不认识这一版本的使用条件，一律不予许可。", "This version of terms is not known: denied."),
                Text("请升级软件，或按当前版本重写。", "Upgrade the software, or write it in the present version."),
                {"operand": "v"},
            )
        row = upcasters[version](row)
        version = row.get("v")
    return dict(row)


def _read(model: type[MODEL], row: dict[str, Any]) -> MODEL:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        # Only places and kinds are read from the error: its inputs may be values of somebody's table.
        items = error.errors(include_input=False, include_url=False)
        found = [(_operand(item["loc"], item["type"]), item["type"]) for item in items]
        found.sort(key=lambda pair: pair[1] not in _UNKNOWN)
        raise _invalid(*found[0]) from None


def _operand(place: tuple[int | str, ...], kind: str) -> str:
    # An unknown operand is named as it was written, even if it is called like one of pydantic's branches.
    own = place[-1:] if kind == "extra_forbidden" else ()
    names = [part for part in place[: len(place) - len(own)] if isinstance(part, str) and part not in _BRANCHES]
    return ".".join(str(name)[:60] for name in (*names, *own)) or "terms"


def _invalid(operand: str, kind: str) -> Invalid:
    label = label_of(operand)
    where = {"operand": operand}
    if kind == "extra_forbidden":
        message = Text(f"使用条件中有未知的操作数“{operand}”，不予许可。", f"Unknown operand “{operand}”: denied.")
        return Invalid("terms.unknown", message, _REMEDY, where)
    if kind in _UNKNOWN:
        message = Text(
            f"“{label.zh}”（{operand}）含有未知的代码，不予许可。",
            f"“{label.en}” ({operand}) holds an unknown code: denied.",
        )
        return Invalid("terms.unknown", message, _REMEDY, where)
    if kind == "missing":
        message = Text(
            f"使用条件缺少“{label.zh}”（{operand}）；不限的也须写明。",
            f"The terms lack “{label.en}” ({operand}); even an open operand is written down.",
        )
        return Invalid("terms.missing", message, _REMEDY, where)
    message = Text(f"“{label.zh}”（{operand}）的写法无效。", f"“{label.en}” ({operand}) is not well formed.")
    return Invalid("terms.invalid", message, _REMEDY, where)
