"""Rows of a table, from the page that offers them to the receipt that fits the very file."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from pathlib import Path

from journeys.browser import Reader
from journeys.test_people import PHONE, browser, how, person, pytestmark, shots, site

__all__ = ["browser", "person", "pytestmark", "site"]
READ_IN_ENGLISH = ("Upload and see what is read", "Publish as read")


def test_rows_from_the_offer_to_the_receipt(person: Callable[..., Reader], tmp_path: Path) -> None:
    """The provider without scripts, on a phone; the buyer checks the very file against its receipt."""
    provider = person("provider", java_script_enabled=False, **PHONE)
    publish(provider, tmp_path, "居民名单")
    provider.follow("提供数据行")
    assert provider.page.locator("select[name='as:手机号']").input_value() == "whole"
    provider.page.select_option("select[name='as:手机号']", "mobile")
    provider.page.select_option("select[name='as:年龄']", "out")
    provider.page.fill("[name=where]", "区 = 武侯区")
    provider.page.check("[name=purposes][value=research]")
    provider.page.check("[name=bases][value=contract]")
    provider.page.fill("[name=until]", "2035-12-31")
    provider.page.fill("[name=price]", "3.00")
    provider.press("预览并测量")
    assert "最小的一类只有 1 条" in provider.said()
    assert "机器执行" in provider.said()
    provider.page.fill("[name=acknowledged_k]", "1")
    provider.press("拟定")
    provider.press("接受本方条件")
    assert "已上架" in provider.said()
    offer = provider.page.url

    buyer = person("buyer")
    buyer.go(offer)
    buyer.press("下单，预留 ¥ 3.00")
    buyer.press("开始交付")
    buyer.page.wait_for_selector("#run :text('任务完成')", timeout=60_000)
    run = buyer.page.url.rstrip("/").rsplit("/", 1)[1]
    buyer.page.get_by_role("link", name="查看交付结果").click()
    with buyer.page.expect_download() as coming:
        buyer.page.get_by_role("button", name="下载 CSV").click()
    product = tmp_path / "product.csv"
    coming.value.save_as(product)
    with product.open(encoding="utf-8-sig", newline="") as lines:
        head, *rows = csv.reader(lines)
    assert head == ["编号", "手机号", "区"]
    assert len(rows) == 20
    assert {row[2] for row in rows} == {"武侯区"}
    assert all(re.fullmatch(r"138\*{4}\d{4}", row[1]) for row in rows)
    buyer.go(f"/receipts/run.closed/{run}/")
    buyer.page.set_input_files("[name=product]", product)
    buyer.press("在本机校验")
    buyer.page.wait_for_selector("[data-verdict=true]", timeout=20_000)


def test_a_step_that_helps_is_one_press(person: Callable[..., Reader], tmp_path: Path) -> None:
    """Wide, dark and in English, on a phone and light in Chinese: both with the report under axe."""
    wrong = []
    for mode, preview, step in (
        ("wide-dark-en", "Preview and measure", "Mask it so"),
        ("phone-light-zh", "预览并测量", "照此遮盖"),
    ):
        provider = person("provider", **how(mode))
        publish(provider, tmp_path, f"居民 {mode}", *(READ_IN_ENGLISH if mode.endswith("en") else ()))
        provider.page.locator("main a[href*='/offers/rows/']").click()
        provider.page.check("[name=purposes][value=research]")
        provider.page.check("[name=bases][value=contract]")
        provider.page.fill("[name=until]", "2035-12-31")
        provider.press(preview)
        provider.page.wait_for_selector("#preview button[name=apply]")
        provider.press(step)
        assert provider.page.locator("select[name='as:年龄']").input_value() == "whole"
        assert provider.page.locator("#preview .mark.good").count() >= 1
        assert provider.page.locator("[name=acknowledged_k]").count() == 0
        if folder := os.environ.get("SHUDU_SHOTS"):
            provider.page.screenshot(path=Path(folder) / f"rows-report.{mode}.png", full_page=True)
        wrong += [mode] * bool(shots().runs_off(provider.page)) + provider.accessible()
    assert not wrong


def test_a_part_asked_for_as_another_organisation_is_answered_with_the_page(
    person: Callable[..., Reader], tmp_path: Path
) -> None:
    provider = person("provider")
    publish(provider, tmp_path, "居民 两家")
    provider.follow("提供数据行")
    provider.page.fill("[name=where]", "区 = 武侯区")
    form, named = provider.page.url, "main [name=opened_for]"
    person_id = provider.page.locator(named).input_value().split(".")[0]
    provider.page.locator(named).evaluate("(field, mark) => { field.value = mark }", f"{person_id}.pty_other")
    provider.press("预览并测量")
    provider.page.wait_for_selector("h1:text('没有受理')")
    assert provider.page.locator("body > header, body > main").count() == 2
    provider.follow("打开表单")
    assert provider.page.url == form
    assert provider.page.input_value("[name=where]") == "区 = 武侯区"
    assert "已为您填回" in provider.said()


def publish(provider: Reader, folder: Path, title: str, *presses: str) -> None:
    """A table with telephone numbers, published on the page."""
    file = folder / "people.csv"
    lines = [f"C{at:03d},138{12345678 + at},{('武侯区', '青羊区')[at % 2]},{at}" for at in range(40)]
    file.write_text("\n".join(["编号,手机号,区,年龄", *lines]) + "\n", encoding="utf-8")
    provider.go("/publish/")
    provider.page.set_input_files("[name=file]", file)
    look, send = presses or ("上传，看读到什么", "按此读法发布")
    provider.press(look)
    provider.page.fill("[name=title]", title)
    provider.page.select_option("[name=entity_key]", "编号")
    provider.page.select_option("[name=origin]", "synthetic")
    provider.press(send)
