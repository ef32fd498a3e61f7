"""Publishing by pages: what was understood is shown and corrected, and exactly that is published."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from django.urls import reverse
from openpyxl import Workbook

from shudu.catalog.models import Asset, Version
from shudu.collect.models import Upload
from shudu.identity import queries as parties
from shudu.identity.models import Person
from shudu.site import telling
from shudu.site.profiled import end, spread

from .test_market_pages import HAN_NAMES, Town, last_of, offered, sign_in, town
from .test_pages import check_languages

__all__ = ["town"]

LIST = """编号,登记日期,金额（元）,是否在用
001,2024年3月5日,"1,234.50",是
002,2024年3月6日,暂无,否
003,2024年13月1日,8,是
"""


class Fields(HTMLParser):
    """What a browser would send of the page's form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self.chosen: str | None = None
        self.feed(page.partition('name="seen"')[2] and page[page.index("data-progress") :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        one = dict(attrs)
        if tag == "input" and one.get("name"):
            self.sent[str(one["name"])] = one.get("value") or ""
        if tag == "select":
            self.chosen = str(one["name"])
        if tag == "option" and self.chosen and ("selected" in one or self.chosen not in self.sent):
            self.sent[self.chosen] = one.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.chosen = None


def look(town: Town, content: bytes | str, name: str = "list.csv", **more: Any) -> str:
    """Upload a file to look at; where its page is."""
    file = SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)
    return town.post("provider", "publish", file=file, do="look", **more)


def shown(town: Town, place: str, tongue: str = "zh") -> str:
    return str(town.clients["provider"].get(place, {"lang": tongue}).content.decode())


def send(town: Town, place: str, do: str, status: int = 303, **changed: str) -> Any:
    """The form as it stands, with what is changed."""
    form = Fields(shown(town, place)).sent | changed | {"do": do}
    answer = town.clients["provider"].post(place, form, headers={"accept-language": "zh"})
    assert answer.status_code == status, answer.content.decode()
    return answer


def version_of(asset: str) -> Version:
    return Version.objects.filter(binding__asset=asset).order_by("-number")[0]


def test_what_was_understood_is_published_as_it_was_shown(town: Town) -> None:
    place = look(town, LIST, key="a", title="登记")
    page = shown(town, place)
    for words in ("CSV 文本", "UTF-8", "逗号", "第 1 行", "编号", "登记日期", "暂无", 'value="登记"'):
        assert words in page, words
    assert "“登记日期”列有 2 个值可读作“日期" in page  # a column with an impossible day is text, and that is said
    check_languages(town.clients["provider"], place, (*HAN_NAMES, "编号", "登记日期", "登记"))
    assert Asset.objects.count() == 2, "nothing is published yet"
    leads = send(town, place, "publish", entity_key="编号")["Location"]
    version = version_of(last_of(leads))
    assert [one["type"] for one in version.columns] == ["VARCHAR", "VARCHAR", "DOUBLE", "BOOLEAN"]
    assert version.recipe["columns"][2]["nulls"] == ["暂无"]
    assert version.binding.entity_key == "编号"
    assert Upload.objects.get().state == "removed", "its bytes are gone"
    # Whoever goes back to the page, or pressed twice, is led to what came of it, and nothing is done again.
    for answer in (town.clients["provider"].get(place), town.clients["provider"].post(place, {"do": "publish"})):
        assert (answer.status_code, answer["Location"]) == (303, leads)
    assert Asset.objects.count() == 3


def test_a_correction_is_shown_before_it_counts(town: Town) -> None:
    place = look(town, LIST, key="a", title="登记", entity_key="编号")
    before = Fields(shown(town, place)).sent
    # Changed and published in one go: what was not seen yet is shown first.
    assert send(town, place, "publish", **{"type-1": "date"})["Location"] == place
    page = shown(town, place)
    assert Asset.objects.count() == 2
    assert "还没有发布" in page
    assert "“登记日期”列有的值读不成日期" in page
    assert "首见第 4 行" in page
    check_languages(town.clients["provider"], place, (*HAN_NAMES, "编号", "登记日期", "登记"))
    # A strict reading stops there and says where; the form keeps what was corrected.
    refused = send(town, place, "publish", 400).content.decode()
    assert "第 4 行" in refused
    assert Fields(refused).sent["type-1"] == "date"
    assert Asset.objects.count() == 2
    send(town, place, "look", tolerant="yes", **{"name-2": "金额", "unit-2": "元", "nulls-1": "不详"})
    assert Fields(shown(town, place)).sent["nulls-1"] == "不详"
    made = last_of(send(town, place, "publish")["Location"])
    version = version_of(made)
    assert [one["name"] for one in version.columns] == ["编号", "登记日期", "金额", "是否在用"]
    assert [one["type"] for one in version.columns] == ["VARCHAR", "DATE", "DOUBLE", "BOOLEAN"]
    assert (version.rows, version.report["rejected"], version.report["reasons"]) == (2, 1, {"row.value": 1})
    page = town.get("provider", "asset", made).content.decode()
    assert "1 行没有收入" in page
    assert reverse("correction", args=[version.id]) in page
    assert before["seen"] != ""


def test_a_column_that_is_nearly_of_a_type_takes_it_by_one_press(town: Town) -> None:
    place = look(town, LIST, key="a", title="登记")
    page = shown(town, place)
    assert "另外 1 个不是（第 4 行）" in page
    press = re.findall(r'name="as" value="([^"]+)"', page)
    assert press == ["1:date:"]
    send(town, place, "look", **{"as": press[0]})
    page = shown(town, place)
    assert (Fields(page).sent["type-1"], Fields(page).sent["tolerant"]) == ("date", "yes")
    assert 'name="as"' not in page, "it is settled"
    version = version_of(last_of(send(town, place, "publish", entity_key="编号")["Location"]))
    assert [one["type"] for one in version.columns] == ["VARCHAR", "DATE", "DOUBLE", "BOOLEAN"]
    assert (version.rows, version.report["reasons"]) == (2, {"row.value": 1})


def test_codes_that_became_one_number_are_made_text_by_one_press(town: Town) -> None:
    place = look(town, "节,名\n1.1,甲\n1.10,乙\n", key="a", title="目录")
    page = shown(town, place)
    assert "如 1.1 与 1.10" in page
    check_languages(town.clients["provider"], place, (*HAN_NAMES, "节", "名", "目录", "甲", "乙"))
    send(town, place, "look", **{"as": re.findall(r'name="as" value="([^"]+)"', page)[0]})
    version = version_of(last_of(send(town, place, "publish")["Location"]))
    assert [one["type"] for one in version.columns] == ["VARCHAR", "VARCHAR"]


def test_a_header_that_is_data_and_totals_that_are_data_are_taken_by_one_press(town: Town) -> None:
    place = look(town, "张三,12\n李四,13\n合计,25\n", key="a", title="年龄")
    page = shown(town, place)
    assert "第 1 行读作了表头" in page
    check_languages(town.clients["provider"], place, (*HAN_NAMES, "张三", "李四", "合计", "年龄"))
    for press in ("headless", "totals"):
        assert f'name="as" value="{press}"' in page
        send(town, place, "look", **{"as": press})
        page = shown(town, place)
        assert f'name="as" value="{press}"' not in page
    sent = Fields(page).sent
    assert (sent["header_rows"], sent["totals"], sent["name-1"]) == ("0", "keep", "列2")
    version = version_of(last_of(send(town, place, "publish")["Location"]))
    assert (version.rows, [one["type"] for one in version.columns]) == (3, ["VARCHAR", "BIGINT"])


def test_corrections_can_be_undone_and_the_upload_given_up(town: Town) -> None:
    place = look(town, LIST, key="a")
    send(town, place, "look", **{"type-0": "BIGINT", "name-0": "号"})
    assert Fields(shown(town, place)).sent["name-0"] == "号"
    assert shown(town, "/publish/").count(place) == 1, "one may go on with it later"
    send(town, place, "anew")
    assert Fields(shown(town, place)).sent["name-0"] == "编号"
    send(town, place, "drop")
    assert place not in shown(town, "/publish/")
    assert Upload.objects.get().draft == {}
    assert town.clients["provider"].get(place).status_code == 409
    assert "已不在" in shown(town, place)


def test_what_was_typed_outlives_the_session(town: Town) -> None:
    place = look(town, LIST, key="a")
    send(town, place, "look", title="半途", level="L3", **{"type-1": "date"})
    town.clients["provider"].logout()
    form = {"do": "publish", "title": "半途而废"}
    answer = town.clients["provider"].post(place, form, headers={"referer": f"http://testserver{place}"})
    assert answer["Location"].startswith("/sign-in/")
    town.clients["provider"] = sign_in("provider")
    sent = Fields(shown(town, place)).sent
    assert (sent["title"], sent["level"], sent["type-1"]) == ("半途", "L3", "date")


def test_the_layout_of_a_workbook_is_chosen(town: Town) -> None:
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "甲"
    first.append(["说明"])
    second = book.create_sheet("乙")
    for row in (["2026 年一季度登记表"], ["编号", "数量"], ["001", 3], ["002", 4], ["合计", 7]):
        second.append(row)
    content = BytesIO()
    book.save(content)
    place = look(town, content.getvalue(), "book.xlsx", key="a", title="登记")
    page = shown(town, place)
    assert "2 张工作表" in page
    assert "--sheet" not in page, "one chooses here"
    check_languages(town.clients["provider"], place, (*HAN_NAMES, "甲", "乙", "登记"))
    send(town, place, "look", sheet="乙")
    page = shown(town, place)
    for words in ("Excel 工作簿", "表头之上的 1 行", "合计行", "第 2 行"):
        assert words in page, words
    assert Fields(page).sent["name-1"] == "数量"
    # Another header has other columns, whatever was corrected in these.
    send(town, place, "look", header_rows="3", **{"name-1": "多少"})
    assert [Fields(shown(town, place)).sent[f"name-{n}"] for n in (0, 1)] == ["001", "3"]
    send(town, place, "look", 400, header_rows="第三行")
    send(town, place, "look", header_rows="")
    version = version_of(last_of(send(town, place, "publish")["Location"]))
    assert (version.rows, version.recipe["table"], version.recipe["header_rows"]) == (2, "乙", [2])
    assert [one["name"] for one in version.columns] == ["编号", "数量"]


def test_a_row_of_units_is_shown_and_can_be_called_data(town: Town) -> None:
    place = look(town, "名称,面积,价格\n,平方米,万元\n甲,12.5,3\n", key="a", title="房屋")
    page = shown(town, place)
    for words in ("第 2 行是各列的单位", "第 1、2 行", "面积（平方米）", 'value="万元"'):
        assert words in page, words
    check_languages(
        town.clients["provider"], place, (*HAN_NAMES, "名称", "面积", "价格", "平方米", "万元", "房屋", "甲")
    )
    send(town, place, "look", header_rows="1")
    page = shown(town, place)
    assert "是各列的单位" not in page
    assert "共 2 行" in page


def test_what_a_look_is_limited_to_is_said(town: Town) -> None:
    """Of a long table the first rows are looked at, of a wide one the columns are not corrected one by one."""
    long = shown(town, look(town, "n\n" + "1\n" * 10_001, key="a"))
    assert "看了前 10,000 行" in long
    assert "后面的行发布时才读" in long
    columns = ",".join(f"c{at}" for at in range(101)) + "\n" + ",".join("1" * 101) + "\n"
    wide = shown(town, look(town, columns, "wide.csv", key="b"))
    assert "超过 100 列的表，各列在此处不能逐一改" in wide
    assert "只列出前 100 列。" in wide
    assert 'name="source-0"' not in wide


def test_encoding_separator_and_a_column_left_out(town: Town) -> None:
    place = look(town, "编号;电话\n1;138\n2;139\n".encode("gb18030"), "l.csv", key="a", title="登记")
    page = shown(town, place)
    assert "GB 18030" in page
    assert "分号" in page
    send(town, place, "look", delimiter=",")
    assert Fields(shown(town, place)).sent["source-0"] == "编号;电话"
    send(town, place, "look", delimiter="", encoding="gb18030")
    refused = send(town, place, "look", 400, **{"type-1": "leave"}).content.decode()
    assert "宽松读取" in refused
    send(town, place, "look", tolerant="yes", **{"type-1": "leave"})
    version = version_of(last_of(send(town, place, "publish")["Location"]))
    assert [one["name"] for one in version.columns] == ["编号"]


def test_strict_reading_says_where_it_would_stop(town: Town) -> None:
    place = look(town, "编号,数量\n1,2\n3\n4,5,6\n", "l.csv", key="a", title="登记")
    page = shown(town, place)
    assert "严格读取会在这里停下" in page
    assert "第 3 行有 1 个单元格" in page
    assert "2 行" in page
    assert "第 3 行" in send(town, place, "publish", 400).content.decode()
    send(town, place, "look", tolerant="yes")
    assert "严格读取会在这里停下" not in shown(town, place)
    assert version_of(last_of(send(town, place, "publish")["Location"])).report["rejected"] == 2


def test_what_nobody_can_read_is_said_and_can_be_given_up(town: Town) -> None:
    place = look(town, b"%PDF-1.7 nothing", "l.csv", key="a")
    page = shown(town, place)
    assert "PDF" in page
    assert 'value="publish"' not in page
    check_languages(town.clients["provider"], place, HAN_NAMES)
    send(town, place, "drop")
    town.post("provider", "publish", file=SimpleUploadedFile("e.csv", b""), do="look", status=400)
    town.post("provider", "publish", do="look", status=400)


def test_values_behind_the_rows_shown_still_count(town: Town) -> None:
    """The first 10,000 rows are whole numbers; the last is none. What nobody corrected, all values decide."""
    rows = "".join(f"{n},{n}\n" for n in range(11_000))
    place = look(town, f"编号,数量\n{rows}11000,1.5\n", "l.csv", key="a", title="登记")
    page = shown(town, place)
    assert "看了前 10,000 行" in page
    assert "现为整数" in page
    send(town, place, "look", **{"name-0": "号"})
    version = version_of(last_of(send(town, place, "publish")["Location"]))
    assert [(one["name"], one["type"]) for one in version.columns] == [("号", "BIGINT"), ("数量", "DOUBLE")]


def test_the_next_version_is_looked_at_by_the_kept_recipe(town: Town) -> None:
    place = look(town, LIST, key="a", title="登记")
    send(town, place, "look", tolerant="yes", **{"type-1": "date", "name-1": "登记日"})
    asset = last_of(send(town, place, "publish", entity_key="编号")["Location"])
    file = SimpleUploadedFile("next.csv", "编号,登记日期,金额（元）,是否在用\n004,2025年1月1日,3,否\n".encode())
    latest = version_of(asset)
    place = town.post(
        "provider", "asset_update", asset, file=file, do="look", mode="append", expected=latest.id, key="b"
    )
    page = shown(town, place)
    sent = Fields(page).sent
    assert (sent["name-1"], sent["type-1"], sent["type-2"]) == ("登记日", "date", "grouped")
    check_languages(town.clients["provider"], place, (*HAN_NAMES, "编号", "登记日期", "登记日", "登记"))
    # It is for this asset alone, and for its owner alone.
    upload = last_of(place)
    assert town.clients["provider"].get(f"/publish/{upload}/").status_code == 404
    assert town.clients["provider"].get(f"/assets/{town.ids['asset']}/update/{upload}/").status_code == 404
    for path in (place, f"/publish/{upload}/"):
        assert town.clients["stranger"].get(path).status_code == 404
    leads = send(town, place, "publish")["Location"]
    assert leads == f"/assets/{asset}/"
    version = version_of(asset)
    assert (version.number, version.rows, version.change["mode"]) == (2, 3, "append")


def test_how_far_it_is_is_said_in_words(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the lake says while a form is worked on can be asked for with the form's key, by its sender alone."""
    monkeypatch.setattr(telling, "EVERY", 0.0)
    clients = {who: sign_in(who) for who in ("provider", "stranger")}

    def asked(who: str, tongue: str = "zh") -> str:
        return str(clients[who].get("/progress/", {"key": "told", "lang": tongue}).content.decode())

    told: list[str] = []
    replaced = telling.os.replace
    monkeypatch.setattr(
        telling.os, "replace", lambda part, place: (told.append(part.read_text()), replaced(part, place))
    )
    place = look(town, LIST.encode("gb18030"), key="a", title="登记")
    form = Fields(shown(town, place)).sent | {"do": "publish", "key": "told"}
    assert town.clients["provider"].post(place, form).status_code == 303
    for words in ("正在打开", "已读 3 行", "正在判断各列的类型", "正在写入"):
        assert any(words in each for each in told), (words, told)
    assert asked("provider") == "正在接收文件", "and then it is gone"

    request = RequestFactory().post("/publish/", {"key": "told"})
    person = str(Person.objects.get(username="provider").pk)
    with telling.told(request, parties.actor_for(town.ids["provider"], person=person)):
        assert (asked("provider"), asked("provider", "en")) == (
            "文件已收到，正在打开",
            "the file has arrived; opening it",
        )
        assert asked("stranger") == "正在接收文件"


def test_its_owner_sees_how_a_version_was_read_and_what_its_columns_hold(town: Town) -> None:
    offered(town)  # now others see the entry, too
    asset = town.ids["asset"]
    for who, sees in (("provider", True), ("modeller", False), ("operator", False)):
        page = town.clients[who].get(reverse("asset", args=[asset]), {"lang": "zh"}).content.decode()
        for words in ("怎样读的", "各列概况", "最常见", 'class="hist"', "一年"):
            assert (words in page) is sees, (who, words)
        versions = f"/assets/{asset}/changes/?version={version_of(asset).id}"
        assert ("怎样读的" in town.clients[who].get(versions).content.decode()) is sees
    names = (*HAN_NAMES, "一年", "两年", "按月", "锦江区", "武侯区", "成华区", "青羊区", "金牛区", "高新区")
    check_languages(town.clients["provider"], f"/assets/{asset}/", names)
    assert "K0017" not in town.get("provider", "asset", asset).content.decode(), "the key shows counts only"


@pytest.mark.parametrize(
    ("quantiles", "shares"),
    [
        ([0.0, 1.0, 2.0, 3.0, 4.0], [0.25, 0.25, 0.25, 0.25]),
        ([0.0, 0.0, 0.0, 0.0, 4.0], [0.8125, 0.0625, 0.0625, 0.0625]),
        ([0.0, 4.0, 4.0, 4.0, 4.0], [0.0625, 0.0625, 0.0625, 0.8125]),
    ],
)
def test_a_histogram_holds_every_value_once(quantiles: list[float], shares: list[float]) -> None:
    assert spread(quantiles, 4) == pytest.approx(shares)


def test_the_ends_of_a_column_are_written_as_everywhere_else() -> None:
    assert end("2026-03-01T08:30:00", "TIMESTAMP WITH TIME ZONE") == "2026-03-01 08:30:00"
    assert end("T2", "VARCHAR") == "T2"
    assert end(12500, "BIGINT") == "12,500"
