"""Saying how far a long piece of work has come, to whoever asked: the command line shows it, others do not ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shudu.policy.types import Text

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


def rows_read(rows: int) -> Text:
    return Text(f"已读 {rows:,} 行", f"{rows:,} rows read")


def share_read(done: int, size: int) -> Text:
    return Text(f"已读 {done * 100 // max(size, 1)}%", f"{done * 100 // max(size, 1)} % read")
