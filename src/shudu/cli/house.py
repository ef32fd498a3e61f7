"""Opening a home, and the commands that keep it running: init, demo, serve, worker, up."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shudu.policy.types import Conflict, Invalid, NotFound, Text

from .session import As, Home, Json, session

if TYPE_CHECKING:
    from shudu.config.options import Options

BASE_IRI = "https://shudu.localhost"
# An invented company with a valid code: the operating company of a new home until `init` is told another.
OPERATOR_NAME = "数都数据运营有限公司"
OPERATOR_CODE = "91510100MA00000152"


def open_home(
    home: Path | None, *, base_iri: str = BASE_IRI, operator: str = OPERATOR_NAME, code: str = OPERATOR_CODE
) -> Options:
    """Start Django on a home. Its first use makes it: rows, keys, the operating company, the log.

    Two first uses at once are kept apart by a lock file; a kill in between is made good by the next use.
    """
    from shudu.config.options import load

    options = load(home)
    os.environ["SHUDU_HOME"], os.environ["SHUDU_KEYS"] = str(options.home), str(options.keys)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shudu.config.settings")
    _make_folders(options)
    import django

    django.setup()
    with _locked(options):
        _migrate(options.home / ".schema")
        _found(base_iri, operator, code)
    return options


def _make_folders(options: Options) -> None:
    try:
        for folder in (options.home, options.keys):
            _make_durable(folder, again=not (options.home / ".schema").exists())
        if options.database_url:
            return
        # Ours alone, even in a folder somebody made beforehand: SQLite gives its journals the mode of its file. One
        # that is there is not opened: closing it would drop the locks of any connection this process has.
        rows = options.home / "shudu.sqlite3"
        with suppress(FileExistsError):
            os.close(os.open(rows, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if not os.access(rows, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(rows))
    except OSError as error:
        raise _unusable(options, error) from error


def _make_durable(folder: Path, *, again: bool) -> None:
    """Make a folder and its missing parents so that a power cut leaves them; `again`: a kill may have left it unsynced.

    A parent we may pass through but not read cannot be synced by us.
    """
    if folder.is_dir() and not again:
        return
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in {folder.parent, *(made.parent for made in missing)}:
        with suppress(PermissionError):
            handle = os.open(each, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextmanager
def _locked(options: Options) -> Iterator[None]:
    try:
        lock = (options.home / ".lock").open("w")
    except OSError as error:
        raise _unusable(options, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unusable(options: Options, error: OSError) -> Invalid:
    return Invalid(
        "home.unusable",
        Text("无法使用主目录。", f"The home folder cannot be used: {error.strerror}."),
        Text("请用 --home 指定一个可写的目录。", "Name a folder you may write to with --home."),
        {"home": str(options.home)},
    )


def _migrate(marker: Path) -> None:
    """Bring the rows to this release's shape, once per shape: the marker saves the look on every other start."""
    from django.core.management import call_command
    from django.db.migrations.loader import MigrationLoader

    shape = "\n".join(sorted(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations))
    if marker.is_file() and marker.read_text() == shape:
        return
    call_command("migrate", verbosity=0, interactive=False)
    fresh = marker.with_suffix(".new")
    fresh.write_text(shape)
    fresh.replace(marker)


def _found(base_iri: str, operator: str, code: str) -> None:
    """The operating company and the log, each made once."""
    from shudu.identity import actions as identity_actions
    from shudu.identity import queries as identity
    from shudu.identity.types import CreateParty, founder
    from shudu.ledger import actions as ledger_actions
    from shudu.ledger import queries as ledger

    try:
        company = identity.operator()
    except NotFound:
        company = identity_actions.create_operator(founder(), CreateParty(name=operator, code=code))
    try:
        ledger.log()
    except Conflict:
        ledger_actions.open_log(
            identity.actor_for(company.id), base_iri=base_iri, software=f"shudu {installed('shudu')}"
        )


app = typer.Typer(no_args_is_help=True)


@app.command()
def init(
    base_iri: Annotated[
        str, typer.Option(help="The address under which everything here is named, for good.")
    ] = BASE_IRI,
    operator: Annotated[str, typer.Option(help="Name of the operating company (运营机构).")] = OPERATOR_NAME,
    code: Annotated[str, typer.Option(help="Its unified social credit code.")] = OPERATOR_CODE,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Make a home: rows, keys, the operating company, the ledger. Doing it again changes nothing."""
    with session(home, as_, json, opened=False) as current:
        options = open_home(home, base_iri=base_iri, operator=operator, code=code)
        from shudu.identity import queries as identity
        from shudu.runs.worker import spread_news

        while spread_news():
            pass
        company = identity.operator()
        current.show(
            {"id": company.id, "operator": company.name, "home": str(options.home), "keys": str(options.keys)},
            Text("主目录已就绪。", "The home is ready."),
        )


@app.command()
def worker(home: Home = None, as_: As = None, json: Json = False) -> None:
    """Drive runs, deliver events and sequence the ledger until told to stop."""
    with session(home, as_, json):
        from shudu.runs.worker import drive

        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        drive(stopped)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Loopback port (default: SHUDU_PORT, else 8000).")] = None,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Serve the pages and the ledger on loopback."""
    with session(home, as_, json):
        from django.conf import settings

        from shudu.config import supervisor

        number = port or settings.OPTIONS.port
        supervisor.claim(number)
        command = supervisor.web(number)
        os.execv(command[0], command)


@app.command()
def demo(home: Home = None, as_: As = None, json: Json = False) -> None:
    """Load the demonstration: a city of invented parties and the main job on it. Doing it again changes nothing."""
    with session(home, as_, json) as current:
        from django.conf import settings

        from .demonstration import flow

        loaded = flow.load(
            settings.HOME,
            settings.OPTIONS.keys,
            lambda text: None if json else current.console.print(current.say(text)),
        )
        current.show({"id": loaded.ids["run"], **loaded.ids}, Text("演示数据已就绪。", "The demonstration is ready."))


@app.command()
def up(
    with_demo: Annotated[bool, typer.Option("--demo", help="Load the demonstration first.")] = False,
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """Run web and worker under one supervisor until told to stop."""
    with session(home, as_, json) as current:
        from django.conf import settings
        from django.db import connection

        from shudu.config import supervisor

        sign_ins: dict[str, str] = {}
        if with_demo:
            from .demonstration import flow

            sign_ins = flow.load(
                settings.HOME, settings.OPTIONS.keys, lambda text: current.console.print(current.say(text))
            ).sign_ins
        connection.close()
        port = settings.OPTIONS.port

        def ready() -> None:
            current.console.print(f"[bold]http://{supervisor.HOST}:{port}/[/bold]")
            if sign_ins:
                current.console.print(
                    current.say(
                        Text("登录（密码随机生成，仅此一份）：", "Sign-ins (passwords made up for this home alone):")
                    )
                )
                for name, password in sign_ins.items():
                    current.console.print(f"  {name:10} {password}", markup=False)
            current.console.print(current.say(Text("按 Ctrl-C 停止。", "Ctrl-C stops it.")))

        commands = {"web": supervisor.web(port), "worker": [sys.executable, "-m", "shudu.cli", "worker"]}
        code = supervisor.supervise(commands, port=port, ready=ready)
    raise typer.Exit(code)
