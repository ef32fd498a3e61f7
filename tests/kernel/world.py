"""Where the machine runs: a home founded once and put back before every walk, and a clock that can kill."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from hypothesis import strategies as st

from kernel.files import customers, scorecard
from kernel.in_process import InProcess
from kernel.model import Model
from shudu.identity import actions as parties
from shudu.identity import queries as identity
from shudu.identity.types import CreateParty, founder
from shudu.ledger import actions as ledger
from shudu.policy.types import Role

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
TRADE = frozenset({Role.BUYER, Role.MODELLER, Role.PROVIDER})


class Killed(BaseException):
    """The end of a process: nothing catches it, and what has not committed is gone."""


# A function that was called, what it was given, by whom and under which key, and the row that came of it.
Request = tuple[Callable[..., Any], tuple[Any, ...], str, str, str]


def nothing() -> None:
    pass


class Clock:
    """Stands still; armed, it kills at the n-th look."""

    def __init__(self) -> None:
        self.moment = START
        self.left: int | None = None

    def now(self) -> datetime:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed
        return self.moment


class World:
    """What all examples share: the files to publish, and the rows and files each of them begins with."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.lake, self.kept = home / "lake", folder / "lake"
        self.files = {"table": customers(folder, 60), "small": customers(folder, 6)}
        self.card = scorecard(folder)
        self.clock = Clock()
        self.before: Callable[[], None] = nothing
        self.rows = sqlite3.connect(":memory:")
        self.model = Model("")
        self.requests: list[Request] = []

    def sandbox(self) -> InProcess:
        return InProcess(lambda: self.before())

    def found(self, market: Callable[[], Any]) -> None:
        """The operating company, the log, three parties, and an offer between two of them that is live."""
        operator = parties.create_operator(founder(), CreateParty(name="锦水数据运营有限公司"))
        ledger.open_log(identity.actor_for(operator.id), base_iri="https://data.example.org", software="test")
        self.model = Model(operator.id)
        self.keep()
        first = market()
        first.open_market()
        self.model, self.requests = first.model, first.requests
        self.keep()

    def keep(self) -> None:
        connection.ensure_connection()
        connection.connection.backup(self.rows)
        shutil.rmtree(self.kept, ignore_errors=True)
        if self.lake.exists():
            shutil.copytree(self.lake, self.kept)

    def restore(self) -> None:
        connection.ensure_connection()
        self.rows.backup(connection.connection)
        # Set aside by one rename: whoever is still writing in this process, of a test before, writes there.
        if self.lake.exists():
            aside = Path(tempfile.mkdtemp(dir=self.kept.parent))
            self.lake.rename(aside / "lake")
            shutil.rmtree(aside, ignore_errors=True)
        if self.kept.exists():
            shutil.copytree(self.kept, self.lake, dirs_exist_ok=True)
        self.clock.moment, self.clock.left, self.before = START, None, nothing


PICK = st.integers(0, 1_000)
# Mostly whoever may; of every eight, one is somebody else.
WHO = st.integers(0, 7)
# Mostly nobody dies.
LOOKS = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 12))
# How a worker fares with a run: see `Kernel.work`.
MANNERS = (*("well",) * 4, "broken", "unforeseen", "slow", "overtaken", "robbed", "revoked", "killed")

GOING: dict[str, Any] = {"pick": PICK, "manner": st.sampled_from(MANNERS), "looks": st.integers(0, 25)}


def end_of(day: date) -> datetime:
    """The last microsecond of a day in Chengdu, which is eight hours ahead."""
    return datetime(day.year, day.month, day.day, 15, 59, 59, 999_999, tzinfo=UTC)
