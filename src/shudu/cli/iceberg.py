"""Tables as other engines see them: `shudu iceberg`."""

from __future__ import annotations

import typer

from shudu.policy.types import Text

from .session import As, Home, Json, session

app = typer.Typer(no_args_is_help=True, help="Apache Iceberg tables for the operating company's own engines.")


@app.command("tables")
def tables(home: Home = None, as_: As = None, json: Json = False) -> None:
    """The tables that are shown, where their metadata lies, and how many versions each has."""
    with session(home, as_, json) as current:
        from shudu.catalog import queries

        shown = queries.shown_tables(current.actor())
        titles = queries.titles(one.asset for one in shown)
        rows = [
            {
                "table": f"{one.owner}.{one.asset}",
                "title": titles[one.asset],
                "versions": len(one.snapshots),
                "metadata": one.metadata,
            }
            for one in shown
        ]
        said = Text(f"外部引擎可读 {len(rows)} 张表。", f"{len(rows)} tables are shown to other engines.")
        current.show({"id": None, "tables": rows}, said)


@app.command("rebuild")
def rebuild(home: Home = None, as_: As = None, json: Json = False) -> None:
    """Show every table anew, from nothing: after the home was moved, or when the catalogue is damaged."""
    with session(home, as_, json) as current:
        from shudu.catalog import actions

        made = actions.rebuild_projection(current.actor())
        left_out = {version: column for versions in made.values() for version, column in versions.items()}
        current.show(
            {"id": None, "tables": len(made), "not_shown": left_out},
            Text("外部引擎目录已重建。", "The tables are shown anew."),
        )
