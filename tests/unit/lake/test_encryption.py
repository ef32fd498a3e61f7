"""Level 3 and above at rest: no cell can be found in the stored bytes, and only the right key reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shudu.lake.engine import connect
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, View
from shudu.policy.types import Conflict

PLACE = Place("pty_one", "ast_one", "ver_one")
ROWS = 3_000


class FixedKeys:
    """One key for all, so that a test can hold a wrong one."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def create(self, place: Place) -> bytes:
        return self._secret

    secret = create

    def destroy(self, place: Place) -> None:
        pass

    def forget(self, there: Callable[[Place], bool], older_than: float) -> None:
        pass


@pytest.fixture
def cells() -> list[list[str]]:
    # Letters that do not compress, so that no cell hides in the plain file either.
    return [[f"K{number:06d}", os.urandom(12).hex(), "锦江区" + os.urandom(3).hex()] for number in range(ROWS)]


def stored_bytes(store: DuckDBStore) -> bytes:
    return b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())


def count_found(data: bytes, cells: list[list[str]]) -> int:
    return sum(cell.encode() in data for row in cells[:200] for cell in row)


def test_no_cell_stands_in_the_stored_bytes(tmp_path: Path, cells: list[list[str]], write: Callable[..., Path]) -> None:
    source = write([["no", "secret_name", "district"], *cells])
    for encrypted in (False, True):
        store = DuckDBStore(tmp_path / f"home-{encrypted}", FixedKeys(os.urandom(32)))
        stored = store.write_csv(source, PLACE, key="no", encrypted=encrypted)
        store.write_files({"copy.csv": source.read_bytes()}, Place("o", "a", "v"), encrypted=encrypted)
        data = stored_bytes(store)
        assert (count_found(data, cells) == 0) is encrypted
        assert (b"secret_name" not in data) is encrypted
        read = store.read_table(stored.files, PLACE, View(("no", "secret_name", "district")))
        assert [list(row.values()) for row in read.to_pylist()] == cells


def test_the_wrong_key_fails_in_words(tmp_path: Path, cells: list[list[str]], write: Callable[..., Path]) -> None:
    right = DuckDBStore(tmp_path / "home", FixedKeys(os.urandom(32)))
    stored = right.write_csv(write([["no", "name", "district"], *cells]), PLACE, key="no", encrypted=True)
    [file] = right.write_files({"model.json": b"{}"}, Place("o", "a", "v"), encrypted=True)
    wrong = DuckDBStore(tmp_path / "home", FixedKeys(os.urandom(32)))
    for read in (
        lambda: wrong.read_table(stored.files, PLACE, View(("name",))),
        lambda: wrong.export_ipc(stored.files, PLACE, View(("name",)), tmp_path / "data.arrow"),
        lambda: wrong.read_file(file, Place("o", "a", "v")),
        lambda: wrong.copy_file(file, Place("o", "a", "v"), tmp_path / "model.json"),
    ):
        with pytest.raises(Conflict) as caught:
            read()
        assert caught.value.code == "lake.key"
        assert "密钥" in caught.value.message.zh
    assert not (tmp_path / "data.arrow").exists()
    assert not (tmp_path / "model.json").exists()


@pytest.mark.django_db
def test_an_erased_version_stays_unreadable_from_a_backup(store: DuckDBStore, write: Callable[..., Path]) -> None:
    stored = store.write_csv(write([["no"], ["1"]]), PLACE, key="no", encrypted=True)
    path = store.home / stored.files[0].path
    backup = path.read_bytes()
    store.erase(PLACE)
    path.parent.mkdir(parents=True)
    path.write_bytes(backup)
    with pytest.raises(Conflict) as caught:
        store.read_table(stored.files, PLACE, View(("no",)))
    assert caught.value.code == "lake.key_destroyed"


@pytest.mark.django_db
def test_the_sweep_destroys_the_keys_of_what_it_removes(store: DuckDBStore, write: Callable[..., Path]) -> None:
    store.write_csv(write([["no"], ["1"]]), PLACE, key="no", encrypted=True)
    store.keys.secret(PLACE)
    store.sweep(set(), older_than=0)
    with pytest.raises(Conflict, match="destroyed"):
        store.keys.secret(PLACE)


@pytest.mark.parametrize("secret", [None, os.urandom(32)], ids=["plain", "encrypted"])
def test_what_spills_to_disk_is_as_safe_as_what_is_stored(tmp_path: Path, secret: bytes | None) -> None:
    with connect(tmp_path, secret=secret) as connection:
        connection.execute("SET memory_limit = '60MB'")
        connection.execute(
            "CREATE TABLE t AS SELECT 'plaintext-marker-' || i || repeat('x', 100) AS v FROM range(1000000) r(i)"
        )
        spilled = list(tmp_path.rglob("*.tmp"))
        assert spilled
        assert any(b"plaintext-marker-" in path.read_bytes() for path in spilled) is (secret is None)
        assert connection.execute("SELECT count(v), min(v) FROM t").fetchone() == (
            1_000_000,
            "plaintext-marker-0" + "x" * 100,
        )
