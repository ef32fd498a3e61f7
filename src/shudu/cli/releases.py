"""What is held for a person: `shudu releases`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from shudu.policy.types import Text

from .session import As, Home, Json, Key, session, typed

if TYPE_CHECKING:
    from shudu.cleanroom.queries import Release
    from shudu.policy.types import Actor

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


@releases.command("rules")
def rules(home: Home = None, as_: As = None, json: Json = False) -> None:
    """The rules of release: as the house has them, as your organisation asked, and what holds for its part."""
    with session(home, as_, json) as current:
        current.show(_rules(current.actor()), Text("放行规则。", "The rules of release."))


@releases.command("restrict")
def restrict(
    asked: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RULE=VALUE]…", help="Such as min_group=20 group_by=region,plan; none: as the house."),
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
    key: Key = None,
) -> None:
    """Ask for stricter rules for whatever your data or models are part of, in the place of those asked for before."""
    with session(home, as_, json) as current:
        from shudu.cleanroom import actions
        from shudu.cleanroom.types import OwnRules, rules_of

        written = [(name.strip(), value) for name, _, value in (each.partition("=") for each in asked or [])]
        wanted, actor = typed(OwnRules, **rules_of(written)), current.actor()
        actions.restrict(actor, wanted, idempotency_key=key)
        current.show(_rules(actor), Text("已从严，自下一次任务起执行。", "Asked for; it holds from the next run on."))


def _rules(actor: Actor) -> dict[str, Any]:
    from shudu.cleanroom import queries

    def plain(value: Any) -> Any:
        return sorted(value) if isinstance(value, frozenset) else value

    return {
        "rules": {
            each.name: {"house": plain(each.house), "own": plain(each.own), "holds": plain(each.holds)}
            for each in queries.rules(actor)
        }
    }
