"""The main job in a browser, from publishing to the verified receipt. Any console error or 404 fails it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
EXAMPLE = ROOT / "docs" / "example"
PASSWORD = "芙蓉花开早晚三醉-2026"
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
    """A fresh home with three organisations, served, with its worker."""
    home = tmp_path / "home"
    env = {**os.environ, "SHUDU_HOME": str(home), "SHUDU_KEYS": str(tmp_path / "keys")}
    subprocess.run([sys.executable, "-c", PEOPLE, str(home), PASSWORD], env=env, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = [sys.executable, "-m", "shudu.cli"]
    with (tmp_path / "log").open("wb") as log:
        both = [
            subprocess.Popen(
                [*start, "serve", "--home", str(home), "--port", str(port)], env=env, stdout=log, stderr=log
            ),
            subprocess.Popen([*start, "worker", "--home", str(home)], env=env, stdout=log, stderr=log),
        ]
        try:
            address = f"http://localhost:{port}"
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{address}/healthz", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.25)
            yield address
        finally:
            for process in both:
                process.terminate()
            for process in both:
                process.wait(20)


class Reader:
    """Somebody at a browser. What the console says and what is missing is kept, to fail the journey."""

    def __init__(self, browser: object, site: str, username: str) -> None:
        self.context = browser.new_context(locale="zh-CN", accept_downloads=True)  # type: ignore[attr-defined]
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("response", lambda got: got.status >= 400 and self.wrong.append(f"{got.status} {got.url}"))
        self.site = site
        self.go("/sign-in/")
        self.page.fill("[name=login]", username)
        self.page.fill("[name=password]", PASSWORD)
        self.press("登录")

    def go(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.site + path)

    def press(self, words: str) -> None:
        self.page.locator("main").get_by_role("button", name=words).first.click()
        self.page.wait_for_load_state()

    def accessible(self) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA; run outside the page's own policy."""
        found = self.page.context.new_cdp_session(self.page)
        found.send("Page.setBypassCSP", {"enabled": True})
        self.page.reload()
        self.page.add_script_tag(path=str(AXE))
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        result = self.page.evaluate("tags => axe.run({runOnly: {type: 'tag', values: tags}})", tags)
        found.send("Page.setBypassCSP", {"enabled": False})
        return [f"{self.page.url} {one['id']}: {one['nodes'][0]['html'][:120]}" for one in result["violations"]]


def test_the_main_job_in_a_browser(site: str, tmp_path: Path) -> None:
    with playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        provider, modeller, buyer = (Reader(browser, site, who) for who in ("provider", "modeller", "buyer"))

        provider.go("/publish/")
        provider.page.set_input_files("[name=file]", EXAMPLE / "customers.csv")
        provider.page.fill("[name=title]", "客户名单")
        provider.page.fill("[name=entity_key]", "customer_no")
        provider.page.select_option("[name=origin]", "synthetic")
        provider.press("发布")
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
        result = buyer.page.url

        buyer.go(f"/receipts/run.closed/{run.rstrip('/').rsplit('/', 1)[1]}/")
        buyer.page.set_input_files("[name=product]", product)
        buyer.press("在本机校验")
        buyer.page.wait_for_selector("[data-verdict=true]", timeout=20_000)
        product.write_text("tampered")
        buyer.page.set_input_files("[name=product]", product)
        buyer.press("在本机校验")
        buyer.page.wait_for_selector("[data-verdict=false]", timeout=20_000)
        receipt = buyer.page.url

        for party in (provider, modeller, buyer):
            assert party.wrong == []
        if AXE.exists():
            for address in ("/", offer, run, result, receipt, "/me/statement/", "/me/tokens/", "/publish/"):
                buyer.go(address)
                assert buyer.accessible() == []
        browser.close()
