"""Saying how far a long piece of work has come, to whoever asked: the command line shows it, others do not ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from shudu.policy.types import Text

if TYPE_CHECKING:
    import duckdb

_EVERY = 0.3  # seconds
TYPING = Text("已读完，正在判断各列的类型", "read; finding the columns' types")
WRITING = Text("类型已定，正在写入", "typed; writing the table")
MERGING = Text("已写入，正在与上一版本合并", "written; putting it together with the version before")
Progress = Callable[[Text], None]


def _nobody(said: Text) -> None:
    """Nobody asked."""


_asked: ContextVar[Progress] = ContextVar("progress", default=_nobody)


@contextmanager
def reported_to(progress: Progress) -> Iterator[None]:
    """Within the block, what the lake does tells `progress` how far it has come, from whichever thread."""
    token = _asked.set(progress)
    try:
        yield
    finally:
        _asked.reset(token)


def asked() -> Progress:
    """Whom to tell; taken once, for threads do not inherit it."""
    return _asked.get()


@contextmanager
def following(connection: duckdb.DuckDBPyConnection, said: Callable[[int], Text]) -> Iterator[None]:
    """Within the block, tell whoever asked how many percent of its query the engine has done."""
    progress, ended = asked(), threading.Event()
    if progress is _nobody:
        yield
        return

    def follow() -> None:
        while not ended.wait(_EVERY):
            if (done := connection.query_progress()) >= 0:
                progress(said(int(done)))

    watching = threading.Thread(target=follow, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def rows_read(rows: int) -> Text:
    return Text(f"已读 {rows:,} 行", f"{rows:,} rows read")


def share_read(percent: int) -> Text:
    return Text(f"已读 {percent}%", f"{percent} % read")


def share_checked(percent: int) -> Text:
    return Text(f"已读完，正在检查与统计：{percent}%", f"read; checking and profiling: {percent} %")
