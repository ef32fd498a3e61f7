"""A store in a home of its own, and ways to put a CSV together."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shudu.lake.actions import StoredDataKeys
from shudu.lake.keys import Keyring
from shudu.lake.store import DuckDBStore


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


@pytest.fixture
def store(tmp_path: Path, keyring: Keyring) -> DuckDBStore:
    return DuckDBStore(tmp_path / "home", StoredDataKeys(keyring))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write bytes, text or rows to a file and return its path."""

    def make(content: bytes | str | Sequence[Sequence[object]], name: str = "source.csv") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_bytes(content.encode())
        else:
            text = io.StringIO(newline="")
            csv.writer(text).writerows(content)
            path.write_bytes(text.getvalue().encode())
        return path

    return make
