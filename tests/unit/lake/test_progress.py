"""A long write says how far it has come, and says it all the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shudu.lake import progress
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place

PLACE = Place("pty_one", "ast_one", "ver_one")


def test_both_halves_are_told(store: DuckDBStore, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.005)
    source = write("no,half\n" + "".join(f"K{number},{number / 7}\n" for number in range(200_000)))
    told: list[str] = []
    with progress.reported_to(lambda said: told.append(said.en)):
        store.write_csv(source, PLACE, key="no")
    reading = [text for text in told if text.endswith("% read")]
    checking = [text for text in told if text.startswith("read; checking")]
    assert reading
    assert checking
    assert told == reading + checking, "never back to reading once it is checked"
