"""What every adapter of `TableStore` must do; a test module of an adapter subclasses this with a `store` fixture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from shudu.lake.store import TableStore
from shudu.lake.types import Column, Condition, Mask, Op, Place, Stored, StoredFile, View
from shudu.policy.types import Conflict, Invalid

PLACE = Place("pty_one", "ast_one", "ver_one")
OTHER = Place("pty_one", "ast_one", "ver_two")
TABLE = [
    ("no", "tenure", "fee", "since", "name", "code"),
    ("K1", 12, "29.85", "2020-02-29", "𠮷田", "0028"),
    ("K2", 1, "80", "2021-12-31", "a,b\n“c”", "0001"),
    ("K3", "", "0.1", "1999-01-01", "", "7"),
]
Write = Callable[..., Path]


class TableStoreContract:
    @pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
    def encrypted(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def source(self, write: Write) -> Path:
        return write(TABLE)

    @pytest.fixture
    def stored(self, store: TableStore, source: Path, encrypted: bool) -> Stored:
        return store.write_csv(source, PLACE, key="no", encrypted=encrypted)

    def test_says_what_was_stored(self, stored: Stored, source: Path, home: Path) -> None:
        assert stored.rows == 3
        assert stored.columns == (
            Column("no", "VARCHAR", False),
            Column("tenure", "BIGINT", True),
            Column("fee", "DOUBLE", False),
            Column("since", "DATE", False),
            Column("name", "VARCHAR", True),
            Column("code", "VARCHAR", False),
        )
        assert stored.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert stored.source_bytes == source.stat().st_size
        for file in stored.files:
            data = (home / file.path).read_bytes()
            assert Path(file.path).parent == Path(PLACE.folder)
            assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert sum(file.rows or 0 for file in stored.files) == 3

    def test_survives_json(self, stored: Stored) -> None:
        assert Stored.from_json(stored.to_json()) == stored

    def test_a_view_is_all_that_is_read(self, store: TableStore, stored: Stored, tmp_path: Path) -> None:
        rows = (Condition("tenure", Op.NOT_NULL), Condition("since", Op.GE, ("2020-01-01",)))
        view = View(("no", "name", "since"), rows, {"name": Mask.NAME, "since": Mask.YEAR})
        expected = {"no": ["K1", "K2"], "name": ["𠮷*", "a*"], "since": ["2020", "2021"]}
        assert store.read_table(stored.files, PLACE, view).to_pydict() == expected
        assert store.export_ipc(stored.files, PLACE, view, tmp_path / "data.arrow") == 2
        assert pa.ipc.open_file(tmp_path / "data.arrow").read_all().to_pydict() == expected
        asked = {"rows": "count(*)", "last": 'max("since")'}
        assert store.measure(stored.files, PLACE, asked, view) == {"rows": 2, "last": "2021"}
        nobody = View(("no",), (Condition("fee", Op.EQ, (-1,)),))
        assert store.read_table(stored.files, PLACE, nobody).num_rows == 0
        with pytest.raises(Invalid) as caught:
            store.read_table(stored.files, PLACE, View(("no",), (Condition("absent", Op.NULL),)))
        assert caught.value.code == "lake.column"

    def test_reads_columns_in_the_order_asked(self, store: TableStore, stored: Stored) -> None:
        table = store.read_table(stored.files, PLACE, View(("since", "no", "tenure", "name")))
        assert table.to_pydict() == {
            "since": [date(2020, 2, 29), date(2021, 12, 31), date(1999, 1, 1)],
            "no": ["K1", "K2", "K3"],
            "tenure": [12, 1, None],
            "name": ["𠮷田", "a,b\n“c”", None],
        }
        assert table.column_names == ["since", "no", "tenure", "name"]

    def test_exports_an_uncompressed_ipc_file(self, store: TableStore, stored: Stored, tmp_path: Path) -> None:
        target = tmp_path / "data.arrow"
        assert store.export_ipc(stored.files, PLACE, View(("fee", "code")), target) == 3
        with pa.memory_map(str(target)) as file, pa.ipc.open_file(file) as reader:
            before = pa.total_allocated_bytes()
            table = reader.read_all()
            # Read without a copy: nothing was compressed.
            assert pa.total_allocated_bytes() == before
        assert table.to_pydict() == {"fee": [29.85, 80.0, 0.1], "code": ["0028", "0001", "7"]}
        assert (table.column_names, table.schema.metadata) == (["fee", "code"], None)

    def test_refuses_columns_that_are_not_there(self, store: TableStore, stored: Stored, tmp_path: Path) -> None:
        for asked in (["no", "secret"], ["NO"]):
            with pytest.raises(Invalid) as caught:
                store.export_ipc(stored.files, PLACE, View(tuple(asked)), tmp_path / "data.arrow")
            assert caught.value.code == "lake.column"
        with pytest.raises(ValueError, match="twice"):
            store.read_table(stored.files, PLACE, View(("no", "no")))
        assert not (tmp_path / "data.arrow").exists()

    def test_a_version_is_written_once(
        self, store: TableStore, stored: Stored, source: Path, encrypted: bool, home: Path
    ) -> None:
        with pytest.raises(Conflict) as caught:
            store.write_csv(source, PLACE, key="no", encrypted=encrypted)
        assert caught.value.code == "lake.exists"
        assert store.read_table(stored.files, PLACE, View(("no",))).num_rows == 3

    def test_files_come_back_as_they_were(self, store: TableStore, encrypted: bool, home: Path, tmp_path: Path) -> None:
        content = {"product.csv": "甲,乙\n".encode(), "model.json": os.urandom(3_000_000), "empty.txt": b""}
        files = store.write_files(content, PLACE, encrypted=encrypted)
        assert [file.name for file in files] == list(content)
        for file in files:
            data = content[file.name]
            on_disk = (home / file.path).read_bytes()
            assert file.sha256 == hashlib.sha256(on_disk).hexdigest()
            assert file.delivered_sha256 == hashlib.sha256(data).hexdigest()
            assert (on_disk == data) is not encrypted
            assert store.read_file(file, PLACE) == data
            target = tmp_path / "target"
            target.write_bytes(b"what was there before")
            store.copy_file(file, PLACE, target)
            assert target.read_bytes() == data
            assert StoredFile.from_json(file.to_json()) == file
        assert not list(tmp_path.glob(".*"))

    def test_writing_the_same_files_again_changes_nothing(self, store: TableStore, encrypted: bool, home: Path) -> None:
        content = {"a.csv": b"1", "b.csv": b"2"}
        first = store.write_files(content, PLACE, encrypted=encrypted)
        assert store.write_files(content, PLACE, encrypted=encrypted) == first
        for other in ({"a.csv": b"1"}, {"a.csv": b"1", "b.csv": b"3"}, {**content, "c.csv": b""}):
            with pytest.raises(Conflict) as caught:
                store.write_files(other, PLACE, encrypted=encrypted)
            assert caught.value.code == "lake.exists"
        assert [store.read_file(file, PLACE) for file in first] == [b"1", b"2"]

    def test_parquet_products_can_be_read_as_tables(self, store: TableStore, encrypted: bool) -> None:
        table = pa.table({"group": ["甲", "乙"], "mean": [1.5, 2.5]})
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(table, sink)
        files = store.write_files({"product.parquet": sink.getvalue().to_pybytes()}, PLACE, encrypted=encrypted)
        assert store.read_table(files, PLACE, View(("mean", "group"))) == table.select(["mean", "group"])

    def test_damage_is_noticed_before_anything_is_handed_out(
        self, store: TableStore, stored: Stored, encrypted: bool, home: Path, tmp_path: Path
    ) -> None:
        [model] = store.write_files({"model.json": b"x" * 1000}, OTHER, encrypted=encrypted)
        target = tmp_path / "target"
        target.write_bytes(b"before")
        for file, where in ((model, OTHER), (stored.files[0], PLACE)):
            path = home / file.path
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
            for hand_out in (
                lambda file=file, where=where: store.read_file(file, where),
                lambda file=file, where=where: store.copy_file(file, where, target),
                lambda file=file, where=where: store.read_table([file], where, View(("no",))),
                lambda file=file, where=where: store.export_ipc([file], where, View(("no",)), tmp_path / "data.arrow"),
            ):
                with pytest.raises(Conflict) as caught:
                    hand_out()
                assert caught.value.code == "lake.damaged"
            path.unlink()
            with pytest.raises(Conflict, match=r"lake\.damaged"):
                store.read_file(file, where)
        assert target.read_bytes() == b"before"
        assert not (tmp_path / "data.arrow").exists()

    def test_a_file_of_another_version_is_not_read(self, store: TableStore, stored: Stored) -> None:
        for path in ("lake/../keys/kek", "/etc/passwd", str(OTHER.path_of("data.parquet"))):
            with pytest.raises(ValueError, match="not a file of"):
                store.read_file(replace(stored.files[0], path=path), PLACE)

    def test_erasing_leaves_nothing_of_that_version_alone(
        self, store: TableStore, stored: Stored, encrypted: bool, home: Path
    ) -> None:
        [other] = store.write_files({"model.json": b"stays"}, OTHER, encrypted=encrypted)
        store.erase(PLACE)
        store.erase(PLACE)
        assert not (home / PLACE.folder).exists()
        with pytest.raises(Conflict):
            store.read_table(stored.files, PLACE, View(("no",)))
        assert store.read_file(other, OTHER) == b"stays"
        assert not list((home / "lake" / ".staging").iterdir())

    def test_the_sweep_takes_only_what_nobody_knows_and_is_old(
        self, store: TableStore, encrypted: bool, home: Path
    ) -> None:
        known, orphan, young = (Place("pty_one", "ast_one", f"ver_{number}") for number in range(3))
        files = {place: store.write_files({"a": b"1"}, place, encrypted=encrypted) for place in (known, orphan, young)}
        for place in (known, orphan):
            os.utime(home / place.folder, (0, 0))
        assert store.sweep({files[known][0].path}) == [str(orphan.folder)]
        assert not (home / orphan.folder).exists()
        assert store.read_file(files[known][0], known) == store.read_file(files[young][0], young) == b"1"
        assert store.sweep({str(known.folder)}, older_than=0) == [str(young.folder)]
        assert store.read_file(files[known][0], known) == b"1"
