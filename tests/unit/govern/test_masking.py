"""What masks leave, and that nothing slips through them; what k and l are, against counting by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.govern.anonymity import Anonymity, Grouped, assess, quasi_of, towards
from shudu.govern.detectors import Kind
from shudu.govern.masking import USUAL
from shudu.lake.masks import PRESETS, WHOLE, Mask, masked
from shudu.lake.types import Column, View
from shudu.lake.view import projected
from shudu.policy.types import Invalid


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def mask(engine: duckdb.DuckDBPyConnection, preset: str, value: str | None) -> str | None:
    return masks(engine, preset, [value])[0]


def masks(engine: duckdb.DuckDBPyConnection, preset: str, values: Sequence[str | None]) -> list[str | None]:
    engine.register("them", pa.table({"值": pa.array(values, pa.string())}))
    return [row[0] for row in engine.execute(f"SELECT {masked('值', Mask(preset))} FROM them").fetchall()]


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
        ("address", " 四川省 成都市 武侯区 桂溪街道 天府大道中段666号", f"四川省 成都市 武侯区 桂溪街道{WHOLE}"),
        ("address", "新疆维吾尔自治区克拉玛依市独山子区大庆东路1号", f"新疆维吾尔自治区克拉玛依市独山子区{WHOLE}"),
        ("address", "黑龙江齐齐哈尔市梅里斯达斡尔族区一号", f"黑龙江齐齐哈尔市梅里斯达斡尔族区{WHOLE}"),
        (
            "address",
            "四川省凉山彝族自治州木里藏族自治县乔瓦镇新兴街5号",
            f"四川省凉山彝族自治州木里藏族自治县乔瓦镇{WHOLE}",
        ),
        ("address", "镇江市京口区大市口街道中山东路3号", f"镇江市京口区{WHOLE}"),
        ("address", "青羊区西御河街道人民中路1号", f"青羊区西御河街道{WHOLE}"),
        ("address", "成都市\n武侯区", f"成都市\n武侯区{WHOLE}"),
        ("address", "郫都区安德镇老街5号", f"郫都区安德镇{WHOLE}"),
        ("address", "攀枝花市东区炳草岗大街1号", f"攀枝花市东区{WHOLE}"),
        ("address", "重庆市渝中区解放碑街道民权路5号", f"重庆市渝中区解放碑街道{WHOLE}"),
        ("address", "重庆市渝北区龙溪街道松牌路5号", f"重庆市渝北区龙溪街道{WHOLE}"),
        ("address", "成都高新区天府五街200号", f"成都高新区{WHOLE}"),
        ("address", "台州市路桥区银安街1号", f"台州市路桥区{WHOLE}"),
        ("address", "某处", WHOLE),
        # Behind a road or a number nothing is a division.
        ("address", "人民南路9号3栋201室（红旗超市楼上）", WHOLE),
        ("address", "成都市武侯区春熙路8号1栋302室镇江饭店旁", f"成都市武侯区{WHOLE}"),
        ("address", "春熙路8号1栋302室镇江饭店旁", WHOLE),
        ("address", "成都市玉林路12号院3栋小区5单元", f"成都市{WHOLE}"),
        ("address", "玉林小区5单元", WHOLE),
        ("address", "成都市玉林小区5单元", f"成都市{WHOLE}"),
        ("address", "翡翠城东区3栋", WHOLE),
        ("address", "锦绣天地二区5栋", WHOLE),
        ("address", "城市花园3栋", WHOLE),
        ("address", "红旗超市楼上201", WHOLE),
        ("address", "9号3栋201室 武侯区", WHOLE),
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


DIVISIONS = (
    ("四川省", "成都市", "武侯区", "桂溪街道"),
    ("", "成都市", "新都区", "斑竹园镇"),
    ("四川省", "甘孜藏族自治州", "康定市", "姑咱镇"),
    ("", "", "金堂县", "赵镇"),
    ("", "北京市", "海淀区", ""),
    ("", "", "", "安仁镇"),
    ("", "", "", ""),
)
ROADS = ("人民南路", "天府大道中段", "镇江东路", "新乡街", "市场巷", "州城里弄", "县前街", "二环路北四段", "小市街")
HOUSES = ("9号3栋201室", "12号院3栋5单元", "三号二幢五楼", "8-1-302", "8号A座")
BEHIND = st.lists(
    st.sampled_from(["（红旗超市楼上）", "镇江饭店旁", "小区", "玉林街道", "武侯区", "市", "乡", " 县", "三圣乡", "7"]),
    max_size=4,
)


@given(BEHIND)
@settings(max_examples=10, deadline=None)
def test_of_an_address_nothing_is_left_from_the_road_on(engine: duckdb.DuckDBPyConnection, behind: list[str]) -> None:
    places = [(parts, f"{road}{house}{''.join(behind)}") for parts in DIVISIONS for road in ROADS for house in HOUSES]
    left = masks(engine, "address", ["".join(parts) + place for parts, place in places])
    for (parts, place), shown in zip(places, left, strict=True):
        assert shown in {"".join(parts[:most]) + WHOLE for most in range(len(parts) + 1)}, (parts, place)
    numbered = masks(engine, "address", [house + road + "".join(behind) for road in ROADS for house in HOUSES])
    assert set(numbered) == {WHOLE}


@given(
    st.lists(st.text("成都市武侯区镇乡县州省旗盟路街道巷号栋楼室小超1二A（ \n", max_size=30), min_size=1, max_size=50)
)
@settings(max_examples=30, deadline=None)
def test_whatever_is_written_as_an_address_only_divisions_are_left(
    engine: duckdb.DuckDBPyConnection, values: list[str]
) -> None:
    for value, left in zip(values, masks(engine, "address", values), strict=True):
        assert left is not None
        assert left.endswith(WHOLE)
        kept = left.removesuffix(WHOLE)
        assert value.lstrip().startswith(kept)
        assert kept == "" or kept.endswith(("省", "市", "州", "地区", "盟", "县", "区", "旗", "街道", "镇", "乡"))
        assert not set(kept.replace("街道", "")) & set("路街道巷号栋楼室超1A（"), "no sign of a road, a house or a shop"


def test_every_kind_of_personal_column_has_a_usual_mask() -> None:
    assert set(USUAL) == set(Kind)
    assert set(USUAL.values()) <= set(PRESETS)


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, 1, 2]), st.sampled_from([None, 0, 1, 2])), max_size=60
)


def grouped(table: pa.Table) -> Grouped:
    """As the lake does it, of a table in memory."""

    def answer(view: View, by: Sequence[str], each: Mapping[str, str], asked: Mapping[str, str]) -> Mapping[str, Any]:
        with duckdb.connect() as connection:
            connection.register("t", table)
            types = {name: type_ for name, type_, *_ in connection.execute("DESCRIBE t").fetchall()}
            shown = ", ".join(f'{sql} AS "{name}"' for name, sql in projected(view, types).items())
            inner = ", ".join(f'{sql} AS "{name}"' for name, sql in each.items())
            groups = ", ".join(f'"{name}"' for name in by) or "1 = 1"
            classes = f"(SELECT {inner} FROM (SELECT {shown} FROM t) GROUP BY {groups})"
            sql = f"SELECT {', '.join(asked.values())} FROM {classes}"
            found = connection.execute(sql).fetchone()
        assert found is not None
        return dict(zip(asked, found, strict=True))

    return answer


@given(rows)
@settings(max_examples=25, deadline=None)
def test_k_and_l_are_those_one_counts_by_hand(found: list[tuple[str, int | None, int | None]]) -> None:
    table = pa.table(
        {
            "区": pa.array([row[0] for row in found], pa.string()),
            "岁": pa.array([row[1] for row in found], pa.int64()),
            "病": pa.array([row[2] for row in found], pa.int64()),
        }
    )
    classes: defaultdict[tuple[str, int | None], list[int | None]] = defaultdict(list)
    for district, age, illness in found:
        classes[district, age].append(illness)
    sizes = [len(each) for each in classes.values()]
    made = assess(grouped(table), View(("区", "岁", "病")), ["区", "岁"], ["病"])
    assert made.records == len(found)
    assert made.classes == len(classes)
    assert made.k == min(sizes, default=0)
    assert made.diversity == {"病": min((len(set(each)) for each in classes.values()), default=0)}
    assert made.records_alone == sum(size for size in sizes if size < 2)
    assert made.below_controlled == sum(size for size in sizes if size < 5)
    assert made.classes_below_controlled == sum(size < 5 for size in sizes)
    assert made.below_open == sum(size for size in sizes if size < 20)


def judged(values: list[str], quasi: Sequence[str] = ("区",)) -> Anonymity:
    return assess(grouped(pa.table({"区": values})), View(("区",)), quasi)


def test_what_a_table_is_fit_for() -> None:
    assert judged(["a"] * 20).suits == "open"
    assert judged(["a"] * 20 + ["b"] * 5).suits == "controlled"
    assert judged(["a"] * 20 + ["b"] * 4).suits == "none"
    assert judged(["a", "b"], ()).k == 2
    with pytest.raises(Invalid):
        assess(grouped(pa.table({"区": ["a"]})), View(("区",)), ["区"], ["区"])
    with pytest.raises(Invalid):
        judged(["a"], ("别",))


def test_the_masks_that_would_help_are_named_in_order_and_do() -> None:
    born = [date(1980 + at % 2, 1 + at % 12, 1 + at % 28) for at in range(60)]
    table = pa.table({"生日": born, "区县": [f"区{at % 30}" for at in range(60)], "别": ["x"] * 60})
    columns = (Column("生日", "DATE", False), Column("区县", "VARCHAR", False), Column("别", "VARCHAR", False))
    view = View(("生日", "区县", "别"))
    quasi = quasi_of(columns, view)
    assert quasi == ("生日", "区县")
    steps = towards(grouped(table), view, quasi, columns)
    assert [(step.column, step.mask) for step in steps][-1][0] in quasi
    assert steps[-1].k >= 5
    masked_view = View(view.columns, (), {step.column: step.mask for step in steps})
    assert assess(grouped(table), masked_view, quasi).k == steps[-1].k
