"""The `shudu` command: one line for each group of commands."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

from . import (
    anonymity,
    assets,
    backup,
    batches,
    corrections,
    evidence,
    helping,
    house,
    iceberg,
    inbox,
    keys,
    offers,
    orders,
    parties,
    quality,
    releases,
    sandbox,
    uploads,
    usage,
)
from .sources import feeds, sources

INTERRUPTED = 130  # 128 and SIGINT, as shells say it

app = typer.Typer(
    name="shudu",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Shudu 数都: describe, share and trade a city's data and models, with proof.",
)
for command in house.app.registered_commands:
    app.registered_commands.append(command)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("publish")(assets.publish)
assets.assets.command("anonymity")(anonymity.anonymity)
app.add_typer(assets.assets, name="assets")
app.add_typer(assets.models, name="models")
app.add_typer(uploads.app, name="uploads")
app.add_typer(batches.batches, name="batches")
app.add_typer(inbox.app, name="inbox")
app.add_typer(batches.package, name="package")
app.add_typer(batches.keys, name="signing-keys")
app.add_typer(sources, name="sources")
app.add_typer(feeds, name="feeds")
app.add_typer(quality.app, name="quality")
app.add_typer(corrections.app, name="corrections")
app.add_typer(parties.orgs, name="orgs")
app.add_typer(parties.accounts, name="accounts")
app.add_typer(parties.tokens, name="tokens")
app.add_typer(offers.offers, name="offers")
app.add_typer(orders.orders, name="orders")
app.add_typer(offers.agreements, name="agreements")
app.add_typer(orders.runs, name="runs")
app.add_typer(orders.results, name="results")
app.add_typer(releases.releases, name="releases")
app.add_typer(evidence.receipts, name="receipts")
app.add_typer(evidence.ledger, name="ledger")
app.add_typer(keys.app, name="keys")
app.add_typer(iceberg.app, name="iceberg")
app.add_typer(sandbox.app, name="sandbox")


def run() -> None:
    """Entry point. What we did not foresee is a fault of ours: said in a sentence, traceback only with SHUDU_DEBUG."""
    import os

    try:
        code = helping.translated(typer.main.get_command(app))(standalone_mode=False)
    except TyperException as error:
        sys.exit(usage.explain(error, sys.argv[1:]))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if os.environ.get("SHUDU_DEBUG"):
            raise
        print(
            f"✗ 程序出错 / a fault of ours: {type(error).__name__}. "
            "未完成的写入已回滚 / unfinished writes were rolled back. SHUDU_DEBUG=1 shows where.",
            file=sys.stderr,
        )
        sys.exit(3)
    if code == INTERRUPTED:  # typer makes an exit code of most ^C
        print("已停止，未完成的写入已回滚 / stopped; unfinished writes were rolled back.", file=sys.stderr)
        # Everything is undone by now. The engine takes seconds to give back its memory, which the system does at once.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
