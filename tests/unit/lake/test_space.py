"""A full disk is told in words, and nothing half-written stays. RLIMIT_FSIZE plays the disk: a write past it fails."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shudu.lake.actions import StoredDataKeys
from shudu.lake.keys import Keyring
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, View
from shudu.policy.types import ShuduError
from unit.lake.forked import run

PLACE = Place("pty_one", "ast_one", "ver_one")
OTHER = Place("pty_one", "ast_one", "ver_two")
ROWS = 150_000


def starved(work: Callable[[], Any], limit: int) -> tuple[str, str]:
    """The code of the error `work` raises on a disk of `limit` bytes per file, and its message."""

    def attempt() -> tuple[str, str]:
        try:
            work()
        except ShuduError as error:
            return error.code, error.message.zh
        return "", ""

    _, answer = run(attempt, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    code, message = answer
    return code, message


@pytest.mark.parametrize("limit", [0, 4, 5_000, 200_000])
def test_every_operation_says_that_space_ran_out(
    limit: int, store: DuckDBStore, write: Callable[..., Path], tmp_path: Path
) -> None:
    source = write("no,half\n" + "".join(f"{number},{number / 7}\n" for number in range(ROWS)))
    stored = store.write_csv(source, PLACE, key="no")
    [file] = store.write_files({"model.json": b"x" * 500_000}, OTHER)
    third = Place("pty_one", "ast_one", "ver_three")
    target = tmp_path / "target"
    for work in (
        lambda: store.write_csv(source, third, key="no"),
        lambda: store.write_files({"model.json": b"x" * 500_000}, third),
        lambda: store.export_ipc(stored.files, PLACE, View(("no", "half")), target),
        lambda: store.copy_file(file, OTHER, target),
    ):
        code, message = starved(work, limit)
        assert (code, "空间不足" in message) == ("lake.space", True)
        assert not (store.home / third.folder).exists()
        assert not list((store.home / "lake" / ".staging").iterdir())
        assert not target.exists()
        assert not list(tmp_path.glob(".*"))


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, write: Callable[..., Path]) -> None:
    (tmp_path / "home").write_text("a file where the home should be")
    store = DuckDBStore(tmp_path / "home", StoredDataKeys(Keyring(tmp_path / "keys")))
    with pytest.raises(ShuduError, match=r"lake\.storage"):
        store.write_csv(write("no\n1\n"), PLACE, key="no")
    [file] = DuckDBStore(tmp_path / "other", store.keys).write_files({"a": b"1"}, PLACE)
    for target in (tmp_path / "missing" / "target", tmp_path):
        with pytest.raises(ShuduError, match=r"lake\.target"):
            DuckDBStore(tmp_path / "other", store.keys).copy_file(file, PLACE, target)
