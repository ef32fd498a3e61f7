"""Kills a process at every point at which an operation changes anything, lets another finish, and looks for damage.

    python driver.py prepare HOME                 a home with an order waiting to be run
    python driver.py matrix HOME OPERATION EVERY  one line of JSON: how many points; then one for every EVERY-th point,
                                                  its name, and what was found wrong
    python driver.py look HOME ORDERS ASSETS FEN  what is wrong with a home, which should hold so many

A point is every commit of the database, every rename, fsync, start of a process and step of a table's way in, before
and after it. Each trial starts from the same prepared home; the operation runs in a forked child that is killed there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
PRICE = 120_001
FUNDS = 500_000


def setup(home: Path) -> None:
    os.environ.update(SHUDU_HOME=str(home), SHUDU_KEYS=f"{home}.keys", SHUDU_LEASE_SECONDS="1")
    from shudu.cli.house import open_home

    open_home(home)


# --- the operations that are killed


def parties() -> dict[str, Any]:
    from shudu.identity import queries as identity

    named = {"provider": "甲数据公司", "modeller": "乙模型公司", "buyer": "丙研究院"}
    return {role: identity.actor_for(identity.resolve(name).id) for role, name in named.items()}


def publish() -> None:
    from shudu.catalog import actions
    from shudu.catalog.types import PublishTable

    request = PublishTable(source=EXAMPLE / "customers.csv", title="又一份", key="customer_no", level="L3")
    actions.publish(parties()["provider"], request, idempotency_key="again")


SPOILT = 17  # the row of the file below that no table can take


def publish_sheet() -> None:
    """By way of the reader, a process of its own."""
    publish_file("customers.xlsx", tolerant=False)


def publish_tolerant() -> None:
    """By way of the reader, and with a side file of what was put aside."""
    publish_file("customers.csv", tolerant=True)


def publish_file(name: str, *, tolerant: bool) -> None:
    from shudu.catalog import actions
    from shudu.catalog.types import PublishTable
    from shudu.lake.types import Reading

    lines = (EXAMPLE / "customers.csv").read_text("utf-8").splitlines()[:200]
    file = Path(os.environ["POINT"]).with_name(name)
    if name.endswith(".xlsx"):
        if not file.exists():
            import openpyxl

            book = openpyxl.Workbook()
            for line in lines:
                book.active.append(line.split(","))
            book.save(file)
    else:
        lines[SPOILT - 1] += ",one,cell,too,many"
        file.write_text("\n".join(lines) + "\n", "utf-8")
    request = PublishTable(
        source=file, title="又一份", key="customer_no", level="L3", reading=Reading(tolerant=tolerant)
    )
    asset = actions.publish(parties()["provider"], request, idempotency_key="again")
    from shudu.catalog.models import Version

    rejected = Version.objects.get(binding__asset=asset).report["rejected"]
    assert rejected == int(tolerant), rejected


def publish_version() -> None:
    """A second version of what stands: rows appended to the first."""
    from shudu.catalog import actions
    from shudu.catalog.models import Asset
    from shudu.catalog.types import PublishVersion

    lines = (EXAMPLE / "customers.csv").read_text("utf-8").splitlines()
    file = Path(os.environ["POINT"]).with_name("more.csv")
    file.write_text("\n".join([lines[0], *("NEW" + line for line in lines[1:50])]) + "\n", "utf-8")
    table = Asset.objects.get(kind="table")
    request = PublishVersion(asset=table.id, source=file, mode="append")
    actions.publish_version(parties()["provider"], request, idempotency_key="again")


def order() -> None:
    from shudu.agreements.queries import Offer
    from shudu.exchange import actions
    from shudu.exchange.types import PlaceOrder

    offer = Offer.objects.get()
    actions.place(parties()["buyer"], PlaceOrder(offer=offer.id, purpose="research"), idempotency_key="again")


def start() -> None:
    from shudu.exchange import actions

    actions.start_run(parties()["buyer"], first_order(), idempotency_key="again")


def run() -> None:
    from shudu.runs import worker
    from shudu.runs.queries import Run

    start()
    worker.settle(Run.objects.get(kind="compute").id, timeout=60)


def news() -> None:
    from shudu.runs import worker

    while worker.spread_news():
        pass


def rotate() -> None:
    from shudu.identity import queries as identity
    from shudu.ledger import actions
    from shudu.security.actions import rotate_data_keys

    operator = identity.actor_for(identity.operator().id)
    actions.rotate(operator, idempotency_key="again")
    rotate_data_keys(operator)


def first_order() -> str:
    from shudu.exchange.models import Order

    return Order.objects.order_by("id").first().id


class Idle(threading.Event):
    """Stops a worker's loop the first time it finds nothing to do though nothing waits."""

    def wait(self, timeout: float | None = None) -> bool:
        from shudu.policy.models import Outbox
        from shudu.runs.models import Run

        if not (Outbox.objects.exclude(dispatched=True, sequenced=True) or Run.objects.filter(state="queued")):
            self.set()
        return super().wait(timeout)


def work() -> None:
    """What `shudu worker` does, until nothing waits; one after the other, so that the points keep their order."""
    from shudu.runs import types, worker

    for chore in (worker.sweep, *types.chores()):
        chore()
    worker.Worker().loop(Idle())


def command() -> None:
    """What a person types; the process is forked from one that has opened the home."""
    from shudu.agreements.queries import Offer
    from shudu.cli.main import app

    words = ["orders", "place", Offer.objects.get().id, "--buyer", "丙研究院", "--purpose", "research", "--json"]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    app([*words, "--idempotency-key", "again"], standalone_mode=False)


# What is killed, and the home it begins with.
OPERATIONS: dict[str, tuple[Callable[[], None], str]] = {
    "publish": (publish, "template"),
    "sheet": (publish_sheet, "template"),
    "tolerant": (publish_tolerant, "template"),
    "version": (publish_version, "template"),
    "order": (order, "template"),
    "command": (command, "template"),
    "run": (run, "template"),
    "worker": (work, "started"),
    "settlement": (news, "carried"),
    "rotation": (rotate, "template"),
}
RUNNING = ("run", "worker", "settlement")
PUBLISHING = ("publish", "sheet", "tolerant")


# --- what must hold afterwards, whatever happened


def wrong(operation: str, ordered: int = 0, assets: int = 0, funds: int = FUNDS) -> list[str]:
    from shudu.accounts import queries as accounts
    from shudu.catalog.models import Asset, Version
    from shudu.catalog.queries import files, place
    from shudu.exchange.models import Order
    from shudu.lake import queries as lake
    from shudu.lake.models import DataKey
    from shudu.ledger import queries as ledger
    from shudu.ledger.integrity import check
    from shudu.policy.models import Outbox
    from shudu.runs.models import Run, RunOutput

    found: list[str] = []

    def expect(what: str, is_: object, should: object) -> None:
        if is_ != should:
            found.append(f"{what}: {is_!r}, not {should!r}")

    events = list(Outbox.objects.values_list("event", flat=True))
    buyer = parties()["buyer"].party
    ordered = ordered or (2 if operation in ("order", "command") else 1)
    assets = assets or 2 + (operation in PUBLISHING or operation in RUNNING)
    expect("books", {unit: total for unit, total in accounts.books().items() if total}, {})
    expect("drift", accounts.drift(), {})
    expect("ledger", [finding.where for finding in check()], [])
    expect(
        "events left",
        Outbox.objects.filter(dispatched=False).count() + Outbox.objects.filter(sequenced=False).count(),
        0,
    )
    expect("orders", Order.objects.count(), ordered)
    expect("orders recorded", events.count("order.placed"), ordered)
    balance = accounts.balance(buyer, "CNY.fen")
    if operation in RUNNING:
        expect("runs", list(Run.objects.values_list("state", flat=True)), ["closed"])
        expect("results", RunOutput.objects.count(), 1)
        expect("closings recorded", events.count("run.closed"), 1)
        expect("settlements recorded", events.count("order.settled"), 1)
        expect("buyer", (balance.available, balance.reserved), (FUNDS - PRICE, 0))
        provider = accounts.balance(parties()["provider"].party, "CNY.fen")
        expect("provider", provider.available, 72_001)
    else:
        expect("buyer", (balance.available, balance.reserved), (funds - ordered * PRICE, ordered * PRICE))
    expect("assets", Asset.objects.count(), assets)
    expect("assets recorded", events.count("asset.published") + events.count("run.closed"), assets)
    if operation == "rotation":
        keys = list((Path(os.environ["SHUDU_KEYS"])).glob("*.key"))
        expect("rotations recorded", events.count("log.key_rotated"), 1)
        retired = [key for key, signs in ledger.signing_keys() if not signs]
        expect("keys retired", len(retired), 1)
        left = [file.name for file in keys if any(key.key_id.hex() in file.name for key in retired)]
        expect("private halves of retired keys", left, [])
        expect("key-encryption keys", len([file for file in keys if file.name.startswith("kek_")]), 1)
    known = set()
    for version in Version.objects.all():
        where = place(version)
        known.add(str(where.folder))
        for file in files(version):
            lake.store().read_file(file, where)  # raises when the bytes are not those of the row
    lake.store().sweep(known, older_than=0)
    home = lake.store().home
    there = {str(folder.relative_to(home)) for folder in (home / "lake").glob("*/*/*") if folder.is_dir()}
    expect("folders after the sweep", there, known)
    expect("staging after the sweep", os.listdir(home / "lake" / ".staging"), [])
    versions = {str(version) for version in Version.objects.values_list("id", flat=True)}
    versions.add("sketches")  # what is remembered of an asset's releases has a key of its own
    made = {"version": 1, "batch": 1, "inbox": 2}.get(operation, 0)
    expect("versions recorded", events.count("version.published"), made)
    expect(
        "keys without a version",
        set(DataKey.objects.filter(state="active").values_list("version", flat=True)) - versions,
        set(),
    )
    expect("readers left", readers(home), [])
    return found


def readers(home: Path) -> list[str]:
    """Reading processes at work in this home, after a moment in which the orphans among them notice that they are."""
    left: list[str] = []
    for _ in range(50):
        left = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if b"shudu.lake.readers" in (process / "cmdline").read_bytes():
                    left += [process.name] * str((process / "cwd").readlink()).startswith(f"{home}/")
        if not left:
            break
        time.sleep(0.1)
    return left


# --- killing


class Points:
    """Counts the points of an operation and kills at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.passed, self.name = at, 0, ""

    def pass_by(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            Path(os.environ["POINT"]).write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(f"before {name}")
            result = real(*args, **kwargs)
            self.pass_by(f"after {name}")
            return result

        setattr(owner, name, wrapped)

    def install(self) -> None:
        from django.db.backends.sqlite3.base import DatabaseWrapper

        self.around(DatabaseWrapper, "_commit")
        for name in ("replace", "rename", "fsync"):
            self.around(os, name)
        from shudu.lake import arrival, ingest, landing

        # The steps of a table's way in: parsed or read by a reader, put aside, written, observed.
        for module, steps in ((ingest, ["write"]), (landing, ["read", "put_aside", "write"]), (arrival, ["described"])):
            for step in steps:
                self.around(module, step)
        start = subprocess.Popen.__init__

        def popen(process: Any, *args: Any, **kwargs: Any) -> None:
            self.pass_by("before a process")
            start(process, *args, **kwargs)
            self.pass_by("after a process")

        subprocess.Popen.__init__ = popen  # type: ignore[method-assign]


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked child; returns its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            work()
        except BaseException:
            traceback.print_exc()
            code = 1
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def matrix(home: Path, operation: str, every: int) -> None:
    act, begun = OPERATIONS[operation]
    os.environ["POINT"] = f"{home}.point"

    def fresh() -> None:
        for suffix in ("", ".keys"):
            shutil.rmtree(f"{home}{suffix}", ignore_errors=True)
            shutil.copytree(f"{home}.{begun}{suffix}", f"{home}{suffix}")

    def killed(at: int) -> int:
        def doing() -> None:
            points = Points(at)
            points.install()
            act()
            news()
            Path(os.environ["POINT"]).write_text(str(points.passed))

        return in_child(doing)

    def recovered() -> list[str]:
        def doing() -> None:
            act()  # what a person does: the same thing once more
            news()
            Path(os.environ["POINT"]).write_text(json.dumps(wrong(operation)))

        code = in_child(doing)
        told: list[str] = json.loads(Path(os.environ["POINT"]).read_text()) if code == 0 else [f"recovery: {code}"]
        return told

    fresh()
    if killed(at=0) != 0:
        raise SystemExit("the operation itself failed")
    number = int(Path(os.environ["POINT"]).read_text())
    print(json.dumps({"points": number, "wrong": recovered()}), flush=True)
    for at in range(1, number + 1, every):
        fresh()
        if (code := killed(at)) == 0:  # a lease renewed or not: some points come and go
            continue
        if code != -signal.SIGKILL:
            raise SystemExit(f"the operation itself failed at trial {at}: {code}")
        point = Path(os.environ["POINT"]).read_text()
        print(json.dumps({"at": at, "point": point, "wrong": recovered()}), flush=True)


def look(home: Path, ordered: int, assets: int, funds: int) -> None:
    setup(home)
    news()
    print(json.dumps(wrong("order", ordered, assets, funds)))


def prepare(home: Path) -> None:
    def work() -> None:
        setup(home)
        from shudu.accounts import actions as accounts
        from shudu.agreements import actions as agreements
        from shudu.agreements.types import DraftOffer
        from shudu.catalog import actions as catalog
        from shudu.catalog.types import PublishModel, PublishTable
        from shudu.exchange import actions as exchange
        from shudu.exchange.types import PlaceOrder
        from shudu.identity import actions as identity_actions
        from shudu.identity import queries as identity
        from shudu.identity.types import CreateParty

        operator = identity.actor_for(identity.operator().id)
        for name, code in (
            ("甲数据公司", "91510100MA0000103G"),
            ("乙模型公司", "91510100MA000020XN"),
            ("丙研究院", "52510100MA00003066"),
        ):
            identity_actions.create_party(operator, CreateParty(name=name, code=code))
        who = parties()
        accounts.deposit(operator, who["buyer"].party, FUNDS)
        table = catalog.publish(
            who["provider"], PublishTable(source=EXAMPLE / "customers.csv", title="客户", key="customer_no")
        )
        model = catalog.publish_model(
            who["modeller"], PublishModel(source=EXAMPLE / "scorecard.json", inputs=("tenure", "contract"))
        )
        from datetime import date

        offer = agreements.draft(
            who["provider"],
            DraftOffer(
                data=table.id,
                model=model.id,
                group_by=("contract",),
                purposes=frozenset({"research"}),
                bases=frozenset({"contract"}),
                runs=2,
                until=date(2035, 12, 31),
                price_fen=PRICE,
                split={"provider": 60, "modeller": 30, "platform": 10},
            ),
        )
        agreements.accept(who["provider"], offer.id)
        agreements.accept(who["modeller"], offer.id)
        exchange.place(who["buyer"], PlaceOrder(offer=offer.id, purpose="research"))
        news()

    if in_child(work) != 0:
        raise SystemExit("the home could not be prepared")

    def queue() -> None:
        setup(home)
        start()

    def carry() -> None:
        setup(home)
        from shudu.runs.worker import Worker

        worker = Worker()
        row = worker._claim(None)
        assert row
        worker._carry(row)

    for begun, before in (("template", None), ("started", queue), ("carried", carry)):
        if before and in_child(before) != 0:
            raise SystemExit(f"the home could not be prepared: {begun}")
        for suffix in ("", ".keys"):
            shutil.copytree(f"{home}{suffix}", f"{home}.{begun}{suffix}")


if __name__ == "__main__":
    told, place = sys.argv[1], Path(sys.argv[2])
    if told == "prepare":
        prepare(place)
    elif told == "look":
        look(place, *map(int, sys.argv[3:]))
    else:
        setup(place)
        from django.db import connection

        connection.close()
        matrix(place, sys.argv[3], int(sys.argv[4]))
