"""Proof: `shudu receipts`, `shudu ledger`. Verifying needs neither a home nor this installation's keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from shudu.policy.types import Invalid, Text

from .session import As, Home, Json, Session, bounded, explain, session, vars_of

if TYPE_CHECKING:
    from shudu.ledger.types import Finding, Verdict

receipts = typer.Typer(no_args_is_help=True, help="Receipts (存证回执).")
ledger = typer.Typer(no_args_is_help=True, help="The transparency log (存证账本).")


@receipts.command("get")
def get(
    run: Annotated[str, typer.Argument(help="Run id.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Write the receipt of a closed run."""
    with session(home, as_, json) as current:
        from shudu.ledger.types import receipt
        from shudu.runs import queries

        row = queries.run_row(run)
        actor = current.actor(None if current.as_party else row.party)
        _write(output, receipt.encode(queries.receipt_of(actor, run)))
        current.show({"id": row.id, "file": str(output)}, Text("存证回执已写出。", "The receipt is written."))


@receipts.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt.")],
    key: Annotated[Path, typer.Option("--key", metavar="KEYFILE", help="The log's verifier key, kept from elsewhere.")],
    product: Annotated[Path | None, typer.Option("--product", metavar="FILE", help="The file it is about.")] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Check a receipt offline. Exit code 0: good, 1: false, 2: unreadable. `--home` and `--as` play no part in it."""
    import json as json_module

    from shudu.ledger.types import receipt

    current = Session(as_, json)
    try:
        verdict = receipt.verify_by_any(_read(file), _read(key).decode("utf-8", "replace"), product)
    except receipt.Unreadable as error:
        if json:
            told = {"code": error.code, "message": vars_of(error.message)}
            print(json_module.dumps({"id": None, "ok": None, "error": told}, ensure_ascii=False))
        else:
            explain(error, current)
        raise typer.Exit(2) from None
    checks = [{"name": check.name, "ok": check.ok, "text": current.say(check.text)} for check in verdict.checks]
    if json:
        print(
            json_module.dumps(
                {
                    "id": verdict.leaf.entry_id if verdict.leaf else None,
                    "ok": verdict.ok,
                    "checks": checks,
                    # What a false receipt says is nobody's word: it is not repeated.
                    "says": _says(verdict) if verdict.ok else None,
                },
                ensure_ascii=False,
            )
        )
    else:
        for check in checks:
            current.console.print(f"{'[green]✓' if check['ok'] else '[bold red]✗'}[/] {check['text']}")
        said = (
            Text(
                "回执成立：运营机构当时这样记录，之后未改动。",
                "The receipt holds: the operator recorded this, then, and has not changed it since.",
            )
            if verdict.ok
            else Text("回执不成立。", "The receipt does not hold.")
        )
        current.console.print(f"[bold]{current.say(said)}[/bold]")
        for name, value in (_says(verdict) if verdict.ok else {}).items():
            shown = json_module.dumps(value, ensure_ascii=False)
            current.console.print(f"  [dim]{escape(name)}[/dim]  {escape(shown)}")
    raise typer.Exit(0 if verdict.ok else 1)


def _says(verdict: Verdict) -> dict[str, Any]:
    """What a receipt vouches for: the kind of entry, its time, and the fields it discloses."""
    leaf = verdict.leaf
    return {"type": leaf.event, "time": leaf.time, **verdict.disclosed} if leaf else {}


@ledger.command("key")
def key(
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file.")] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Print the log's verifier key (C2SP signed note); below it, a line each, those that signed before."""
    with session(home, as_, json) as current:
        from shudu.ledger import queries

        verifier, keys = queries.verifier_key(), queries.verifier_keys()
        lines = "\n".join(keys)
        if output:
            _write(output, lines.encode() + b"\n")
        if json:
            current.show({"id": verifier.split("+")[1], "key": verifier, "keys": keys}, Text("", ""))
        elif not output:
            print(lines)


@ledger.command("checkpoint")
def checkpoint(home: Home = None, as_: As = None, json: Json = False) -> None:
    """Print the latest signed checkpoint."""
    with session(home, as_, json) as current:
        from shudu.ledger import queries

        text = queries.checkpoint()
        if json:
            current.show({"id": text.splitlines()[2], "checkpoint": text}, Text("", ""))
        else:
            print(text, end="")


@ledger.command("forget")
def forget(
    subject: Annotated[str, typer.Argument(help="What it is about: an id, such as of a party.")],
    fields: Annotated[list[str], typer.Argument(help="Names of the fields to erase, such as `code`.")],
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Erase on our side: what is recorded of these fields can be opened here by nobody any more."""
    with session(home, as_, json) as current:
        from shudu.ledger import actions

        forgot = actions.forget(current.actor(), subject, fields)
        current.show({"id": subject, "entries": forgot}, Text("已擦除。", "They are erased."))


@ledger.command("check")
def check(
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="A checkpoint or receipt kept elsewhere: is it still extended?"),
    ] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Recompute the whole log from its entries and compare; exit code 1 when anything differs.

    A log that was cut short or written anew is whole in itself: only `--against` something kept elsewhere notices.
    """
    with session(home, as_, json) as current:
        from shudu.ledger import queries

        findings = queries.check()
        if against:
            findings += _against(against)
        current.show(
            {
                "id": None,
                "ok": not findings,
                "findings": [{"where": one.where, "text": current.say(one.message)} for one in findings],
            },
            Text("账本完好。", "The log is whole.") if not findings else Text("账本有出入！", "The log differs!"),
        )
    if findings:
        raise typer.Exit(1)


def _against(source: Path) -> list[Finding]:
    from shudu.ledger import queries

    try:
        return queries.against(_read(source).decode("utf-8", "replace"))
    except ValueError:
        raise Invalid(
            "ledger.checkpoint",
            Text("这个文件既不是检查点，也不是存证回执。", "This file is neither a checkpoint nor a receipt."),
            Text(
                "请使用 shudu ledger checkpoint 的输出或回执文件。",
                "Use what `shudu ledger checkpoint` prints, or a receipt.",
            ),
            {"file": source.name},
        ) from None


def _read(source: Path) -> bytes:
    """A file to be judged, and one byte more than any receipt may have: enough to see that it is too large."""
    from shudu.ledger.types import receipt

    try:
        return bounded(source, receipt.MAX_BYTES)
    except OSError as error:
        raise receipt.Unreadable(
            "receipt.unreadable",
            Text(f"文件“{source.name}”无法读取。", f"The file “{source.name}” cannot be read."),
            Text("请核对文件路径与权限。", "Check its path and permissions."),
        ) from error


def _write(target: Path, data: bytes) -> None:
    """Whole or not at all."""
    if not target.name:  # such as `.` or `/`
        raise Invalid(
            "file.unwritable",
            Text("这里须给出文件名，而不是文件夹。", "A file is needed here, not a folder."),
            Text("请在路径末尾加上文件名。", "Add a file name to the path."),
            {"file": str(target)},
        )
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise Invalid(
            "file.unwritable",
            Text("无法写入文件。", f"The file cannot be written: {error.strerror}."),
            Text("请换一个可写的位置。", "Choose a place you may write to."),
            {"file": str(target)},
        ) from error
