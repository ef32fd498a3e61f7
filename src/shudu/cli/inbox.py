"""Drop folders: `shudu inbox`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from shudu.policy.types import Text, Unavailable

from .session import As, Home, Json, Key, session

app = typer.Typer(no_args_is_help=True, help="Drop folders: files put there are handed in (投递夹).")
Owner = Annotated[str | None, typer.Option("--owner", metavar="ORG", help="Whose it is: id, code or name.")]


@app.command("open")
def open_(owner: Owner = None, home: Home = None, as_: As = None, json: Json = False, key: Key = None) -> None:
    """Open the drop folder of an organisation: what lies whole in it is handed in, in its name."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.open_inbox(current.actor(owner), idempotency_key=key)
        current.show(_inbox(row), Text("投递夹已开。", "The drop folder is open."))


@app.command()
def show(owner: Owner = None, home: Home = None, as_: As = None, json: Json = False) -> None:
    """Where it lies, and what waits in it and why."""
    with session(home, as_, json) as current:
        from shudu.collect import queries

        actor = current.actor(owner)
        row = queries.inbox(actor)
        try:
            found = queries.inbox_waiting(actor)
        except OSError as error:
            raise Unavailable(
                "inbox.folder",
                Text("看不到投递夹。", "The drop folder cannot be looked into."),
                Text("请核对其位置与权限，或重新打开它。", "Check its place and permissions, or open it again."),
                {"reason": type(error).__name__},
            ) from None
        ready = Text("下次查看时接收。", "Taken at the next look.")
        waiting = [{"name": _printable(one.name), "waits": current.say(one.waits or ready)} for one in found]
        current.show({**_inbox(row), "waiting": waiting}, Text("投递夹。", "The drop folder."))


@app.command()
def close(owner: Owner = None, home: Home = None, as_: As = None, json: Json = False, key: Key = None) -> None:
    """Take nothing more from it; what lies in it stays."""
    with session(home, as_, json) as current:
        from shudu.collect import actions

        row = actions.close_inbox(current.actor(owner), idempotency_key=key)
        current.show(_inbox(row), Text("投递夹已关。", "The drop folder is closed."))


def _printable(name: str) -> str:
    """A name as it can be printed: what is no sign stands escaped."""
    return name if name.isprintable() else name.encode("unicode_escape", "backslashreplace").decode()


def _inbox(row: Any) -> dict[str, Any]:
    from shudu.collect import queries

    folder = queries.drop_folder(row).folder
    return {"id": row.owner, "state": str(row.state), "folder": str(folder), "opened": row.opened}
