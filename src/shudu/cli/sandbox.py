"""`shudu sandbox check`: can this machine contain a model, and what would make it so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from shudu.policy.types import Text

from .session import Home, Json, Session, explain, session, vars_of

if TYPE_CHECKING:
    from shudu.cleanroom.queries import Diagnosis, Part

app = typer.Typer(no_args_is_help=True, help="The clean room's sandbox.")


@app.callback()
def sandbox() -> None:
    """The clean room's sandbox."""


@app.command()
def check(home: Home = None, as_json: Json = False) -> None:
    """Say what the sandbox has here, what is missing and how to get it. Exit 0: models can be run; else 1."""
    with session(home, None, as_json) as current:
        from shudu.cleanroom.queries import diagnose

        found = diagnose()
        if as_json:
            print(json.dumps(_told(found), ensure_ascii=False))
        else:
            _show(found, current)
        if found.refused is not None:
            raise typer.Exit(1)


def _told(found: Diagnosis) -> dict[str, Any]:
    parts = [
        {
            "name": part.name,
            "there": part.there,
            "needed": part.needed,
            "found": part.found,
            **({} if part.there or part.remedy is None else {"remedy": vars_of(part.remedy)}),
        }
        for part in found.parts
    ]
    told: dict[str, Any] = {"ready": found.capabilities is not None, "parts": parts}
    if found.capabilities is not None:
        told["capabilities"] = found.capabilities.report()
    if found.refused is not None:
        told["error"] = {
            "code": found.refused.code,
            "message": vars_of(found.refused.message),
            "where": dict(found.refused.where),
        }
    return told


def _show(found: Diagnosis, current: Session) -> None:
    for part in found.parts:
        current.console.print(f"{_mark(part)} {escape(current.say(part.title))}  [dim]{escape(part.found)}[/dim]")
        if not part.there and part.remedy is not None:
            current.console.print(f"  → {escape(current.say(part.remedy))}")
    if found.refused is not None:
        explain(found.refused, current)
        return
    ready = Text("数据沙箱自检合格，可以运行模型。", "The sandbox passed its self-check: models can be run.")
    current.console.print(f"[bold]{current.say(ready)}[/bold]")


def _mark(part: Part) -> str:
    if part.there:
        return "[green]✓[/green]"
    return "[bold red]✗[/bold red]" if part.needed else "[yellow]–[/yellow]"
