"""From a file as people have it to a table, in a browser: looked at, corrected, published, its rows corrected too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from openpyxl import Workbook, load_workbook

from journeys.browser import Reader
from journeys.test_people import browser, person, pytestmark, site

__all__ = ["browser", "person", "pytestmark", "site"]


def months(folder: Path) -> Path:
    """A workbook as people have them: two sheets, a title, a total, and a date that is none."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "一季度"
    for row in (
        ["停车泊位登记表（2026 年一季度）"],
        ["序号", "停车场名称", "登记日期", "泊位数"],
        ["001", "梭罗桥东路", "2026年1月8日", "126"],
        ["002", "茶店街𠮷庆里", "2026年13月2日", "暂无"],
        ["合计", None, None, "126"],
    ):
        sheet.append(row)
    book.create_sheet("二季度").append(["还没有填"])
    book.save(folder / "泊位.xlsx")
    return folder / "泊位.xlsx"


def test_a_steward_corrects_what_was_read_and_then_the_rows(person: Callable[..., Reader], tmp_path: Path) -> None:
    """From a workbook to a table: choose, look, correct, publish, and take in what was put aside. All under axe."""
    steward, wrong = person("provider"), []
    steward.go("/publish/")
    steward.page.set_input_files("[name=file]", months(tmp_path))
    steward.press("上传，看读到什么")
    assert "请选一张" in steward.said()
    wrong += steward.accessible()
    steward.page.select_option("[name=sheet]", "一季度")
    steward.press("按此重读")
    assert "合计行" in steward.said()
    steward.page.select_option("[name=type-2]", "date")
    steward.page.fill("[name=title]", "停车泊位登记")
    steward.press("按此读法发布")
    assert "还没有发布" in steward.said()
    assert "“登记日期”列有的值读不成日期" in steward.said()
    wrong += steward.accessible()
    steward.page.select_option("[name=tolerant]", "yes")
    steward.press("按此重读")
    steward.page.go_back()  # and forth: the page is the draft's, whichever way one comes to it
    steward.page.go_forward()
    assert steward.page.input_value("[name=title]") == "停车泊位登记"
    steward.press("按此读法发布")
    assert "1 行没有收入" in steward.said()
    assert "怎样读的" in steward.said()
    assert "各列概况" in steward.said()
    wrong += steward.accessible()
    asset = steward.page.url

    steward.follow("看怎样改")
    with steward.page.expect_download() as coming:
        steward.page.get_by_role("link", name="下载 XLSX").click()
    coming.value.save_as(tmp_path / "list.xlsx")
    book = load_workbook(tmp_path / "list.xlsx")
    sheet = book.active
    assert sheet is not None
    for cell in [cell for row in sheet.iter_rows() for cell in row if cell.value == "2026年13月2日"]:
        cell.value = "2026年1月12日"
        break
    book.save(tmp_path / "list.xlsx")
    steward.page.set_input_files("[name=file]", tmp_path / "list.xlsx")
    steward.press("交回")
    assert "处理了 1 行，还剩 0 行" in steward.said()
    wrong += steward.accessible()
    steward.go(asset)
    assert "2 行" in steward.said()
    assert not wrong


def test_a_long_publish_says_how_far_it_is(person: Callable[..., Reader], tmp_path: Path) -> None:
    provider, long = person("provider"), tmp_path / "long.csv"
    long.write_bytes("编号,说明\n".encode("gb18030") + b"".join(b"%d,abc\n" % number for number in range(150_000)))
    provider.go("/publish/")
    provider.page.set_input_files("[name=file]", long)
    provider.press("上传，看读到什么")
    provider.page.fill("[name=title]", "很长的表")
    # While a page is on its way nothing can be asked of the one that is still there, so it writes down what it says.
    provider.page.evaluate(
        """() => {
          const told = document.querySelector("[data-told]");
          const write = () => sessionStorage.setItem("told", (sessionStorage.getItem("told") ?? "") + told.textContent);
          new MutationObserver(write).observe(told, { childList: true });
        }"""
    )
    provider.press("按此读法发布")
    provider.page.wait_for_selector(":text('数据资源已发布')", timeout=60_000)
    assert "已读" in provider.page.evaluate("sessionStorage.getItem('told')")
