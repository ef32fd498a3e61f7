"""Trying the API in a browser: a call that reads, one that changes something, and one that is refused in words."""

from __future__ import annotations

import json
from typing import Any

from journeys.browser import CHROMIUM, EXAMPLE, Reader
from journeys.test_browser import playwright, pytestmark, site

__all__ = ["pytestmark", "site"]


def tried(reader: Reader, operation: str, **fields: str) -> tuple[str, Any]:
    """Open an operation's form, fill it in, send it; the status line and the answer."""
    part = reader.page.locator(f"#try-{operation}")
    part.locator("summary").click()
    for name, value in fields.items():
        field = part.locator(f"[name='{name}']")
        (field.set_input_files if field.get_attribute("type") == "file" else field.fill)(value)
    part.locator("button").click()
    part.locator("[data-answer] pre").wait_for()
    return part.locator("[data-answer] p").inner_text(), json.loads(part.locator("[data-answer] pre").inner_text())


def test_calls_are_tried_on_the_page(site: str) -> None:
    with playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        reader = Reader(browser, site, "provider")
        reader.go("/me/tokens/")
        reader.page.select_option("[name=scope]", "write")
        reader.press("签发")
        token = reader.page.locator("code.once").inner_text()

        reader.go("/api/v1/docs")
        first = reader.page.locator("#try-who_am_i")
        first.locator("summary").click()
        first.get_by_role("button").click()
        assert "请先在页首填写令牌" in first.inner_text()
        first.locator("summary").click()
        reader.page.fill("#token", token)
        line, me = tried(reader, "who_am_i")
        assert line.startswith("200")
        assert me["name"] == "竹枝数据"

        fields = json.dumps({"title": "试用", "key": "customer_no"})
        line, made = tried(reader, "publish_table", fields=fields, file=str(EXAMPLE / "customers.csv"))
        assert line.startswith("201")
        assert "Idempotency-Key" in line
        line, found = tried(reader, "get_asset", asset=made["id"])
        assert found["title"]["zh"] == "试用"
        assert reader.wrong == []

        line, refused = tried(reader, "deposit", party=me["id"])
        assert line.startswith("403")
        assert refused["title"]
        assert any("403" in one for one in reader.wrong)
        reader.wrong.clear()
        assert reader.accessible() == []
        assert token not in reader.page.content(), "it does not outlive the page"
        assert reader.page.input_value("#token") == ""
        browser.close()
