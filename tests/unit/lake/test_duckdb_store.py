"""The DuckDB adapter keeps the contract, and what is its own: Parquet that other engines read by field id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shudu.lake.store import DuckDBStore
from shudu.lake.types import View
from unit.lake.contract import PLACE, TABLE, TableStoreContract
from unit.lake.versions_contract import EvolutionContract, VersionsContract

pytestmark = pytest.mark.django_db


class TestDuckDBStore(TableStoreContract):
    @pytest.fixture
    def home(self, store: DuckDBStore) -> Path:
        return store.home

    def test_columns_carry_field_ids(self, store: DuckDBStore, source: Path) -> None:
        # A file without them is accepted by an Iceberg table and then reads as NULL everywhere.
        store.write_csv(source, PLACE, key=None)
        schema = pq.ParquetFile(store.home / PLACE.path_of("data.parquet")).schema_arrow
        ids = [field.metadata[b"PARQUET:field_id"] for field in schema]
        assert ids == [str(number).encode() for number in range(1, len(TABLE[0]) + 1)]

    def test_nobody_else_on_the_machine_may_look(self, store: DuckDBStore, source: Path) -> None:
        store.write_csv(source, PLACE, key=None)
        folder = store.home / "lake"
        assert all(each.stat().st_mode & 0o077 == 0 for each in (folder, *folder.rglob("*")) if each.is_dir())

    def test_rows_keep_their_order_across_row_groups(
        self, store: DuckDBStore, write: Callable[..., Path], tmp_path: Path
    ) -> None:
        rows = 300_000
        path = write("no,half\n" + "".join(f"{number},{number % 7}\n" for number in range(rows)))
        stored = store.write_csv(path, PLACE, key="no")
        assert pq.ParquetFile(store.home / stored.files[0].path).num_row_groups > 1
        assert store.read_table(stored.files, PLACE, View(("no",)))["no"].to_pylist() == list(range(rows))
        assert store.export_ipc(stored.files, PLACE, View(("half",)), tmp_path / "data.arrow") == rows


class TestEvolutionInDuckDBStore(EvolutionContract):
    @pytest.fixture
    def home(self, store: DuckDBStore) -> Path:
        return store.home


class TestVersionsInDuckDBStore(VersionsContract):
    @pytest.fixture
    def home(self, store: DuckDBStore) -> Path:
        return store.home
