"""What is held for a person: `shudu releases`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Text

from .session import As, Home, Json, Key, session

if TYPE_CHECKING:
    from shudu.cleanroom.queries import Release

releases = typer.Typer(no_args_is_help=True, help="Held releases (待放行的结果).")
Run = Annotated[str, typer.Argument(help="Run id.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; only its digest is kept.")]


def _shown(row: Release) -> dict[str, Any]:
    from shudu.policy import clock

    return {
        "run": row.run,
        "asset": row.asset,
        "held_for": row.held_for,
        "due": clock.stamp(row.due) if row.due else None,
        "decision": row.decision or None,
        "files": row.files,
    }


@releases.command("list")
def list_held(home: Home = None, as_: As = None, json: Json = False) -> None:
    """What waits for your organisation's decision (`--as` the data's owner), the most urgent first."""
    with session(home, as_, json) as current:
        from shudu.cleanroom import queries

        rows = list(queries.held(current.actor()))
        current.show(
            {"releases": [_shown(row) for row in rows]},
            Text(f"待放行 {len(rows)} 个。", f"{len(rows)} held."),
        )


@releases.command("show")
def show(run: Run, home: Home = None, as_: As = None, json: Json = False) -> None:
    """A held release: for which checks, with their evidence, and the very table that would leave."""
    with session(home, as_, json) as current:
        from shudu.cleanroom import queries

        row = queries.release(current.actor(), run)
        content = queries.held_file(row, "product.csv").decode()
        shown = {**_shown(row), "checks": queries.checks(row), "product.csv": content}
        current.show(shown, Text("待放行的结果。", "A held release."))


@releases.command("approve")
def approve(run: Run, reason: Reason, home: Home = None, as_: As = None, json: Json = False, key: Key = None) -> None:
    """Let it leave: the run goes on and hands over exactly the bytes that were held."""
    with session(home, as_, json) as current:
        from shudu.cleanroom import actions, queries

        actor = current.actor()
        row = actions.approve(actor, queries.release(actor, run).run, reason, idempotency_key=key)
        current.show(_shown(row), Text("已准予放行。", "Approved."))


@releases.command("refuse")
def refuse(run: Run, reason: Reason, home: Home = None, as_: As = None, json: Json = False, key: Key = None) -> None:
    """Keep it in: the run ends without a result and the buyer is not charged."""
    with session(home, as_, json) as current:
        from shudu.cleanroom import actions, queries

        actor = current.actor()
        row = actions.refuse(actor, queries.release(actor, run).run, reason, idempotency_key=key)
        current.show(_shown(row), Text("不予放行，预留已退回。", "Refused; the reservation came back."))
