"""`shudu quality`: what a table's quality is, and what it is held to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from shudu.policy.types import Invalid, NotFound, Text

from .listing import show as listed
from .session import As, Home, Json, Key, session, small, typed

app = typer.Typer(no_args_is_help=True, help="Data quality after GB/T 36344 (数据质量).")
_LARGEST = 4 << 20


@app.command()
def show(
    asset: Annotated[str, typer.Argument(help="The asset's id.")],
    version: Annotated[str | None, typer.Option("--version", help="Version id (default: the newest).")] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Show every indicator with its A and B, and the score they give."""
    with session(home, as_, json) as current:
        current.show(_described(current, asset, version), Text("数据质量。", "The quality of the table."))


@app.command()
def history(
    asset: Annotated[str, typer.Argument(help="The asset's id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Show the score of every version, newest first."""
    with session(home, as_, json) as current:
        from shudu.govern import queries

        rows = queries.history(current.actor(), asset)
        listed(current, "quality", rows, len(rows), _line, Text("版本", "versions"))


@app.command()
def rules(
    asset: Annotated[str, typer.Argument(help="The asset's id.")],
    file: Annotated[Path, typer.Argument(help="Rules (JSON), as docs/quality.md lists them.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Hold a table to these rules, and count its newest version by them."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries as catalog
        from shudu.govern import actions
        from shudu.govern.types import Rules

        owner = catalog.asset_row(asset).owner if current.as_party is None else None
        declared = typed(Rules, **_read(file))
        actions.declare_rules(current.actor(owner), asset, declared, idempotency_key=key)
        current.show(_described(current, asset), Text("质量规则已声明。", "The quality rules are declared."))


def _read(file: Path) -> dict[str, Any]:
    from shudu.policy import json_text

    try:
        found = json_text.read(small(file, _LARGEST))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise Invalid(
            "quality.rules",
            Text("规则文件不是可读的 JSON 对象。", "The file of rules is not a readable JSON object."),
            Text("写法见 docs/quality.md。", "docs/quality.md shows how to write it."),
            {"file": file.name},
        )
    return found


def _line(found: Any) -> dict[str, Any]:
    from shudu.govern.types import percent

    total = found.score.total
    return {
        "id": found.version,
        "number": found.number,
        "score": percent(total) if total is not None else None,
        "assessed": found.assessed.isoformat(),
        "rules": found.declared.id if found.declared else None,
        "waiting": found.waiting,
    }


def _described(current: Any, asset: str, version: str | None = None) -> dict[str, Any]:
    from shudu.govern import queries
    from shudu.govern.types import DIMENSIONS, percent, why_not

    found = queries.quality(current.actor(), asset, version)
    if found is None:
        raise NotFound(
            "quality.none", Text("该数据资源没有可评价的数据表版本。", "This asset has no version of a table to judge.")
        )
    return {
        "id": asset,
        "version": found.version,
        "number": found.number,
        "assessed": found.assessed.isoformat(),
        "waiting": found.waiting,
        "unfit": [current.say(each) for each in found.unfit],
        "score": percent(found.score.total) if found.score.total is not None else None,
        "dimensions": {current.say(DIMENSIONS[d]): percent(share) for d, share in found.score.dimensions.items()},
        "indicators": {
            f"{each.indicator.code} {current.say(each.indicator.name)}": f"{each.a} / {each.b}"
            for each in found.score.measured
        },
        "not_counted": {
            f"{each.code} {current.say(each.name)}": current.say(why_not(each)) for each in found.score.missing
        },
    }
