"""A command's session: open the home, act as somebody, show what came of it, and say in words what went wrong."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from shudu.policy import wording
from shudu.policy.types import Actor, Conflict, Invalid, ShuduError, Text, Via

from .shown import lines

Home = Annotated[Path | None, typer.Option("--home", help="The home folder (default: SHUDU_HOME, else ~/.shudu).")]
As = Annotated[str | None, typer.Option("--as", metavar="PARTY", help="Act for this organisation: id, code or name.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object; `id` names what was made.")]
Key = Annotated[str | None, typer.Option("--idempotency-key", help="The same key twice does the thing once.")]


def language(option: str = "") -> str:
    """zh or en: `SHUDU_LANGUAGE`, else the home's `option`, else what `LC_ALL` or `LANG` say, else en."""
    told = os.environ.get("SHUDU_LANGUAGE") or option or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "zh" if told.lower().startswith("zh") else "en"


class Session:
    """What a command has in hand: the language, who acts, and how to show things."""

    def __init__(self, as_party: str | None, as_json: bool) -> None:
        self.as_party = as_party
        self.as_json = as_json
        self.language = language()
        self.console = Console(highlight=False, soft_wrap=True)

    def say(self, text: Text) -> str:
        return text.say(self.language)

    def actor(self, named: str | None = None) -> Actor:
        """Who acts: `--as`, else the party a command names (`--owner`, `--buyer`), else the operating company.

        Naming two different parties is refused rather than guessed at.
        """
        from shudu.identity import queries as identity

        asked = identity.resolve(self.as_party) if self.as_party else None
        meant = identity.resolve(named) if named else None
        if asked and meant and asked.id != meant.id:
            raise Conflict(
                "console.two_parties",
                Text(
                    f"--as 指定“{asked.name}”，命令却指定“{meant.name}”。",
                    f"--as says “{asked.name}”, but the command names “{meant.name}”.",
                ),
                Text("请只指定其中一个，或使两者一致。", "Give only one of them, or the same one twice."),
            )
        party = asked or meant or identity.operator()
        return identity.actor_for(party.id, Via.CONSOLE)

    def show(self, result: Mapping[str, Any], sentence: Text) -> None:
        """One JSON object, or a sentence and the fields below it."""
        if self.as_json:
            print(json.dumps(result, ensure_ascii=False, default=str))
            return
        self.console.print(f"[bold]{escape(self.say(sentence))}[/bold]")
        for depth, name, words in lines(result, self.language):
            self.console.print(f"{'  ' * depth}[dim]{escape(name)}[/dim]  {escape(words)}".rstrip())


@contextmanager
def session(home: Path | None, as_party: str | None, as_json: bool, *, opened: bool = True) -> Iterator[Session]:
    """Run a command: open the home (made at its first use), and afterwards spread the news it made.

    Known errors become sentences and exit code 1; anything else is a fault of ours and says so without a traceback.
    """
    current = Session(as_party, as_json)
    try:
        if opened:
            from .house import open_home

            current.language = language(open_home(home).language)
        yield current
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        explain(known, current)
        raise typer.Exit(1) from None
    if opened:
        _spread_news(current)


@contextmanager
def showing(current: Session) -> Iterator[None]:
    """Show how far a long piece of work has come, once it has taken over a second; nobody is shown what they pipe."""
    console = Console(stderr=True)
    if current.as_json or not console.is_terminal:
        yield
        return
    from shudu.lake import queries as lake

    began = time.monotonic()
    with console.status("") as status:
        status.stop()

        def show(said: Text) -> None:
            if time.monotonic() - began > 1:
                status.update(escape(current.say(said)))
                status.start()

        with lake.reported_to(show):
            yield


def _spread_news(current: Session) -> None:
    """What the command did is done and said; news that cannot be spread now waits, so this warns and never fails."""
    from shudu.runs.worker import spread_news

    try:
        while spread_news():
            pass
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        _print(known, current, "[bold yellow]![/bold yellow]")


def _known(error: Exception) -> ShuduError | None:
    """The error in words; None for a fault of ours."""
    if isinstance(error, ShuduError):
        return error
    if os.environ.get("SHUDU_DEBUG"):
        return None
    if isinstance(error, UnicodeEncodeError):  # bytes on the command line that are no UTF-8
        return Invalid(
            "input.encoding",
            Text("命令中有不是 UTF-8 的文字。", "The command holds text that is not UTF-8."),
            Text("请改正后再试。", "Correct it and try again."),
        )
    from shudu.policy import storage

    return storage.said(error)


def explain(error: ShuduError, current: Session) -> None:
    """Say what happened, where, and what to do; never a traceback, never a value of anyone's table."""
    if current.as_json:
        told: dict[str, Any] = {"code": error.code, "message": vars_of(error.message), "where": dict(error.where)}
        if error.remedy:
            told["remedy"] = vars_of(error.remedy)
        print(json.dumps({"error": told}, ensure_ascii=False, default=str))
        return
    _print(error, current, "[bold red]✗[/bold red]")


def _print(error: ShuduError, current: Session, mark: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{mark} {escape(current.say(error.message))}")
    place = "  ".join(f"{name}: {value}" for name, value in error.where.items())
    if place:
        console.print(f"  {escape(place)}")
    if error.remedy:
        console.print(f"  → {escape(current.say(error.remedy))}")
    console.print(f"  [dim]{error.code}[/dim]")


def vars_of(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def bounded(source: Path, most: int) -> bytes:
    """What a file begins with: `most` bytes, and one more when it has more. OSError for what is no readable file."""
    # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
    with open(os.open(source, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(most + 1)


def small(source: Path, most: int) -> bytes:
    """A file of at most `most` bytes; OSError for what is no readable file, `Invalid` for a larger one."""
    data = bounded(source, most)
    if len(data) > most:
        raise Invalid(
            "file.too_large",
            Text(f"文件超过 {most:,} 字节。", f"The file has more than {most:,} bytes."),
            Text("请核对是否选错了文件。", "Check whether it is the right file."),
            {"file": source.name},
        )
    return data


def listed(text: str) -> tuple[str, ...]:
    """The names in an option such as `--columns X,Y`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def typed(make: Callable[..., Any], **values: Any) -> Any:
    """Make a typed input; what pydantic finds wrong is said like every other error."""
    from pydantic import ValidationError

    try:
        return make(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or make.__name__
        said = wording.of(first)
        raise Invalid(
            "input",
            Text(f"参数“{field}”不正确：{said.zh}。", f"“{field}” is not right: {said.en}."),
            Text("请用 --help 查看该命令的参数。", "See the command's --help."),
        ) from None
