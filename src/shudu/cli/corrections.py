"""`shudu corrections`: the rows of a version that were put aside, corrected in a list and sent back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Text

from .assets import keep
from .session import As, Home, Json, Key, session, typed

if TYPE_CHECKING:
    from shudu.catalog.queries import Correction

app = typer.Typer(no_args_is_help=True, help="Correction lists: rejected rows, corrected and sent back (更正清单).")


class Form(StrEnum):
    """What a list is written as."""

    XLSX = "xlsx"
    CSV = "csv"


def describe(row: Correction) -> dict[str, Any]:
    from shudu.catalog import queries

    return {
        "id": row.version_id,
        "asset": row.asset_id,
        "title": queries.title(row.asset),
        "state": queries.correction_state(row),
        "rows": row.rows,
        "open": row.open,
        "replaced": row.replaced,
        **queries.settled(row),
    }


@app.command("list")
def list_corrections(home: Home = None, as_: As = None, json: Json = False) -> None:
    """The versions of an organisation that have rows to be corrected."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        rows = [describe(row) for row in queries.corrections(current.actor())[:200]]
        current.show({"corrections": rows}, Text("有待更正的版本。", "Versions with rows to be corrected."))


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="Version id.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """How many rows of a version were put aside, how many are still open, and what became of the others."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        row = queries.correction(current.actor(), version)
        current.show(describe(row), Text("更正情况。", "What is to be corrected."))


@app.command()
def get(
    version: Annotated[str, typer.Argument(help="Version id.")],
    file: Annotated[Path, typer.Argument(help="Where to write the list.")],
    form: Annotated[Form | None, typer.Option("--form", help="xlsx or csv; by the file's name without it.")] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Write the list of rows to correct: what each says, what is wrong, and what would fix it."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        chosen = form or (Form.CSV if file.suffix.lower() == ".csv" else Form.XLSX)
        row = queries.correction(current.actor(), version)
        listed, content = queries.correction_list(current.actor(), version, chosen.value)
        keep(content, file)
        current.show({**describe(row), "listed": listed}, Text("更正清单已写出。", "The list is written."))


@app.command()
def submit(
    version: Annotated[str, typer.Argument(help="Version id.")],
    file: Annotated[Path, typer.Argument(help="The list, corrected.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Send a corrected list back: each row is checked again; what fits becomes a new version, the rest stays open."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions, queries
        from shudu.catalog.types import Corrected

        actor = current.actor(queries.version_row(version).owner if current.as_party is None else None)
        actions.correct(actor, version, typed(Corrected, source=file), idempotency_key=key)
        row = queries.correction(actor, version)
        latest = queries.latest(row.asset_id)
        said = {**describe(row), "version": latest.id if latest else None}
        current.show(said, Text("清单已处理。", "The list was taken."))
