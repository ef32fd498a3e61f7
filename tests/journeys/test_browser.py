"""The main job in a browser, from publishing to the verified receipt. Any console error or 404 fails it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.browser import CHROMIUM, EXAMPLE, Reader, served

PEOPLE = """
import os, sys
from pathlib import Path
from shudu.cli.house import open_home
open_home(Path(sys.argv[1]))
from pydantic import SecretStr
from shudu.accounts import actions as accounts
from shudu.identity import actions, queries
from shudu.identity.types import CreateParty, MemberRole
operator = queries.actor_for(queries.operator().id)
PARTIES = {
    "provider": ("竹枝数据", "91510100MA0000103G"),
    "modeller": ("梭影模型", "91510100MA000020XN"),
    "buyer": ("锦帆金融", "52510100MA00003066"),
}
for who, (name, code) in PARTIES.items():
    party = actions.create_party(operator, CreateParty(name=name, code=code))
    actions.add_member(operator, party.id, who, MemberRole.ADMIN, password=SecretStr(sys.argv[2]))
    if who == "buyer":
        accounts.deposit(operator, party.id, 1_000_000)
"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    # Playwright's own event loop leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A fresh home with three organisations."""
    with served(tmp_path, PEOPLE) as address:
        yield address


def test_the_main_job_in_a_browser(site: str, tmp_path: Path) -> None:
    with playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        provider, modeller, buyer = (Reader(browser, site, who) for who in ("provider", "modeller", "buyer"))

        provider.go("/publish/")
        provider.page.set_input_files("[name=file]", EXAMPLE / "customers.csv")
        provider.press("上传，看读到什么")
        provider.page.fill("[name=title]", "客户名单")
        provider.page.select_option("[name=entity_key]", "customer_no")
        provider.page.select_option("[name=origin]", "synthetic")
        provider.press("按此读法发布")
        assert "数据资源已发布" in provider.page.inner_text("main")

        modeller.go("/publish/model/")
        modeller.page.set_input_files("[name=file]", EXAMPLE / "scorecard.json")
        modeller.page.fill("[name=inputs]", "tenure, contract")
        modeller.press("发布")
        assert "模型已发布" in modeller.page.inner_text("main")
        model = modeller.page.url.rstrip("/").rsplit("/", 1)[1]

        provider.go("/offers/new/")
        provider.page.fill("[name=model_id]", model)
        provider.press("用这两项")
        provider.page.check("[name=group_by][value=contract]")
        provider.page.check("[name=purposes][value=research]")
        provider.page.check("[name=bases][value=contract]")
        provider.page.fill("[name=until]", "2035-12-31")
        provider.page.fill("[name=price]", "1200.01")
        provider.press("拟定")
        assert "上架草案已拟定" in provider.page.inner_text("main")
        offer = provider.page.url
        for party in (provider, modeller):
            party.go(offer)
            party.press("接受本方条件")
        assert "已上架" in modeller.page.inner_text("main")

        # Now each sees the other's entry, and the next offer can be previewed.
        provider.go("/offers/new/")
        provider.press("用这两项")
        provider.page.check("[name=group_by][value=contract]")
        provider.page.check("[name=purposes][value=research]")
        provider.page.check("[name=bases][value=contract]")
        provider.page.fill("[name=until]", "2035-12-31")
        provider.press("预览需方所见")
        provider.page.wait_for_selector("#preview :text('机器执行')")

        buyer.go("/")
        buyer.page.type("#q", "客户")
        buyer.page.wait_for_selector("#found :text('客户名单')")
        buyer.go(offer)
        buyer.press("下单，预留")
        assert "订单已生效" in buyer.page.inner_text("main")
        buyer.press("开始运行")
        # Live: nobody reloads, and the page says when it is closed, settled and in the ledger.
        buyer.page.wait_for_selector("#run :text('任务完成')", timeout=60_000)
        run = buyer.page.url
        buyer.page.get_by_role("link", name="查看交付结果").click()
        with buyer.page.expect_download() as coming:
            buyer.page.get_by_role("button", name="下载 CSV").click()
        product = tmp_path / "product.csv"
        coming.value.save_as(product)
        assert product.read_text("utf-8-sig").startswith("contract,")

        buyer.go(f"/receipts/run.closed/{run.rstrip('/').rsplit('/', 1)[1]}/")
        buyer.page.set_input_files("[name=product]", product)
        buyer.press("在本机校验")
        buyer.page.wait_for_selector("[data-verdict=true]", timeout=20_000)
        product.write_text("tampered")
        buyer.page.set_input_files("[name=product]", product)
        buyer.press("在本机校验")
        buyer.page.wait_for_selector("[data-verdict=false]", timeout=20_000)

        for party in (provider, modeller, buyer):
            assert party.wrong == []
        browser.close()
