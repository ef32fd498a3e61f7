"""What masks leave, and that nothing slips through them; what k and l are, against counting by hand."""

from __future__ import annotations

from collections import defaultdict

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.govern.anonymity import assess
from shudu.govern.detectors import Kind
from shudu.govern.masking import USUAL
from shudu.lake.masks import PRESETS, WHOLE, Mask, masked


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def mask(engine: duckdb.DuckDBPyConnection, preset: str, value: str | None) -> str | None:
    table = pa.table({"值": pa.array([value], pa.string())})
    engine.register("one", table)
    answer = engine.execute(f"SELECT {masked('值', Mask(preset))} FROM one").fetchone()
    assert answer is not None
    found: str | None = answer[0]
    return found


@pytest.mark.parametrize(
    ("preset", "value", "expected"),
    [
        ("name", "张三丰", "张*"),
        ("name", "𠮷野家", "𠮷*"),
        ("name", "王", WHOLE),
        ("citizen_id", "51010419900101123X", "510104********123X"),
        ("citizen_id", "510104900101123", WHOLE),  # the old fifteen digits
        ("mobile", "13812345678", "138****5678"),
        ("mobile", "+86 138-1234-5678", "138****5678"),
        ("mobile", "028-85551234", WHOLE),
        ("bank_card", "6222021234567891234", "622202******1234"),
        ("bank_card", "6222 0212 3456 7891", WHOLE),
        ("address", "四川省成都市武侯区桂溪街道天府大道中段666号", "四川省成都市武侯区桂溪街道***"),
        ("address", "成都市武侯区天府大道中段666号", "成都市武侯区***"),
        ("address", "某处", WHOLE),
        ("email", "alice@example.cn", "a***@"),
        ("email", "not an address", WHOLE),
        ("plate", "川A12345", "川A**345"),
        ("plate", "川AD12345", "川A**2345"),
        ("coordinate", "104.0657312", "104.065"),
        ("coordinate", "104", WHOLE),
        ("whole", "anything\nat all", WHOLE),
    ],
)
def test_what_a_mask_leaves(engine: duckdb.DuckDBPyConnection, preset: str, value: str, expected: str) -> None:
    assert mask(engine, preset, value) == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_stays_nothing(engine: duckdb.DuckDBPyConnection, preset: str) -> None:
    assert mask(engine, preset, None) is None


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"coordinate", "address"}))
@given(value=st.text(max_size=40))
def test_whatever_is_written_a_mask_keeps_little(engine: duckdb.DuckDBPyConnection, preset: str, value: str) -> None:
    left = mask(engine, preset, value)
    assert left is not None
    assert "*" in left
    assert len(left.replace("*", "")) <= 10


def test_every_kind_of_personal_column_has_a_usual_mask() -> None:
    assert set(USUAL) == set(Kind)
    assert set(USUAL.values()) <= set(PRESETS)


rows = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, 1, 2]), st.integers(0, 3)), max_size=60)


@given(rows)
def test_k_and_l_are_those_one_counts_by_hand(found: list[tuple[str, int | None, int]]) -> None:
    table = pa.table(
        {
            "区": pa.array([row[0] for row in found], pa.string()),
            "岁": pa.array([row[1] for row in found], pa.int64()),
            "病": pa.array([row[2] for row in found], pa.int64()),
        }
    )
    classes: defaultdict[tuple[str, int | None], list[int]] = defaultdict(list)
    for district, age, illness in found:
        classes[district, age].append(illness)
    sizes = [len(each) for each in classes.values()]
    made = assess(table, ["区", "岁"], ["病"])
    assert made.records == len(found)
    assert made.classes == len(classes)
    assert made.k == min(sizes, default=0)
    assert made.diversity == {"病": min((len(set(each)) for each in classes.values()), default=0)}
    assert made.records_alone == sum(size for size in sizes if size < 2)
    assert made.below_controlled == sum(size for size in sizes if size < 5)
    assert made.below_open == sum(size for size in sizes if size < 20)


def test_what_a_table_is_fit_for() -> None:
    assert assess(pa.table({"区": ["a"] * 20}), ["区"]).suits == "open"
    assert assess(pa.table({"区": ["a"] * 20 + ["b"] * 5}), ["区"]).suits == "controlled"
    assert assess(pa.table({"区": ["a"] * 20 + ["b"] * 4}), ["区"]).suits == "none"
    assert assess(pa.table({"区": ["a", "b"]}), []).k == 2
    with pytest.raises(ValueError, match="both"):
        assess(pa.table({"区": ["a"]}), ["区"], ["区"])
