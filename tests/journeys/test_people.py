"""Each kind of person's whole task in a browser, in one home for all. Console errors, missing files and blocked scripts
fail it; so does whatever axe finds on any page, and a page that runs off a phone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from journeys import first_hour
from journeys.browser import AXE, CHROMIUM, EXAMPLE, ROOT, Reader, served

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    # Playwright's own event loop leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PEOPLE = Path(__file__).with_name("people.py")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
ENGLISH = {"locale": "en-GB"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One home for everybody: an offer, a run that closed, one that is held and one that broke off."""
    with served(tmp_path_factory.mktemp("people"), PEOPLE.read_text("utf-8")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as starter:
        chromium = starter.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def person(site: str, browser: Any) -> Iterator[Callable[..., Reader]]:
    """Somebody who signs in; whatever went wrong under their eyes fails the test at its end."""
    here: list[Reader] = []

    def come(username: str, **how: Any) -> Reader:
        here.append(Reader(browser, site, username, **how))
        return here[-1]

    yield come
    for reader in here:
        reader.context.close()
        assert reader.wrong == []


def test_a_provider_publishes_offers_and_watches(person: Callable[..., Reader]) -> None:
    """On a phone, in Chinese."""
    provider = person("provider", **PHONE)
    provider.go("/publish/")
    provider.page.set_input_files("[name=file]", EXAMPLE / "customers.csv")
    provider.press("上传，看读到什么")
    provider.page.fill("[name=title]", "门店客户" * 20)
    provider.page.select_option("[name=entity_key]", "customer_no")
    provider.page.select_option("[name=origin]", "synthetic")
    provider.press("按此读法发布")
    assert "数据资源已发布" in provider.said()
    provider.follow("拟定上架")
    provider.press("用这两项")
    provider.page.check("[name=group_by][value=contract]")
    provider.page.check("[name=purposes][value=research]")
    provider.page.check("[name=bases][value=contract]")
    provider.page.fill("[name=until]", "2035-12-31")
    provider.press("预览需方所见")
    provider.page.wait_for_selector("#preview :text('机器执行')")
    provider.press("拟定")
    provider.press("接受本方条件")
    assert "待各方接受" in provider.said()
    provider.go("/agreements/")
    provider.page.locator("main .list a").first.click()
    provider.page.wait_for_selector("ol.warp >> text=任务完成")
    assert provider.page.locator("ol.warp .receipt").count() >= 4  # a receipt at each step


def test_the_owner_of_data_decides_about_a_held_result(person: Callable[..., Reader]) -> None:
    """Wide, dark and in English it is only read; on a phone in Chinese it is let go. Both pages under axe."""
    wrong = []
    for mode in ("wide-dark-en", "phone-light-zh"):
        provider = person("provider", **how(mode))
        provider.go("/releases/")
        wrong += provider.accessible()
        provider.page.locator("main table a").first.click()
        provider.page.wait_for_load_state()
        assert provider.page.locator("main table").count() == 2, "the checks, and what would leave"
        assert "mean_score" in provider.said()
        wrong += [mode] * bool(shots().runs_off(provider.page)) + provider.accessible()
    assert not wrong
    run = provider.page.url.rstrip("/").rsplit("/", 1)[1]
    provider.page.fill("[name=opinion]", "各组均可公开。")
    provider.press("准予放行")
    assert "已准予放行" in provider.said()
    assert provider.page.locator(f"main table a[href*='{run}']").count() == 0


def test_the_owner_of_data_keeps_a_held_result_in(person: Callable[..., Reader]) -> None:
    """Without scripts; the buyer learns that nothing left and that nothing was charged, and no reason."""
    provider = person("provider", java_script_enabled=False, **PHONE)
    provider.go("/releases/")
    provider.page.locator("main table a").first.click()
    run = provider.page.url.rstrip("/").rsplit("/", 1)[1]
    provider.page.fill("[name=opinion]", "这一组不宜公开。")
    provider.press("不予放行")
    assert "不予放行" in provider.said()
    assert provider.page.locator(f"main table a[href*='{run}']").count() == 0
    buyer = person("buyer")
    buyer.go(f"/runs/{run}/")
    assert "结果不符合放行规则，未予输出。" in buyer.said()
    assert "没有扣款，预留额度已退回。" in buyer.said()
    assert "不宜公开" not in buyer.said()
    assert buyer.page.get_by_role("link", name="查看交付结果").count() == 0


def test_an_owner_asks_for_stricter_rules(person: Callable[..., Reader]) -> None:
    provider = person("provider", java_script_enabled=False)
    provider.go("/releases/")
    provider.follow("放行规则")
    provider.page.fill("[name=significant_digits]", "2")
    provider.press("从严")
    assert "已从严，自下一次任务起执行" in provider.said()
    assert provider.page.input_value("[name=significant_digits]") == "2"
    provider.page.fill("[name=significant_digits]", "")
    provider.press("从严")
    assert provider.page.input_value("[name=significant_digits]") == ""


def test_a_modeller_in_english(person: Callable[..., Reader]) -> None:
    modeller = person("modeller", **ENGLISH)
    modeller.go("/publish/model/")
    modeller.page.set_input_files("[name=file]", EXAMPLE / "scorecard.json")
    modeller.page.fill("[name=inputs]", "tenure, contract")
    modeller.page.fill("[name=title]", "再来评分")
    modeller.press("Publish")
    assert "The model is published" in modeller.said()
    modeller.go("/me/statement/")
    assert "settlement" in modeller.said()
    modeller.go("/me/tokens/")
    modeller.press("Issue a token")
    assert "Keep it now" in modeller.said()
    modeller.go("/me/tokens/")
    modeller.press("Revoke")
    assert "The token is revoked" in modeller.said()


def test_a_buyer_with_a_keyboard_only(person: Callable[..., Reader], tmp_path: Path) -> None:
    """From the search to the file, and the focus is to be seen at every stop."""
    buyer = person("buyer")

    def reach(selector: str) -> None:
        for _ in range(120):
            buyer.page.keyboard.press("Tab")
            found = buyer.page.evaluate(
                """selector => {
                  const one = document.activeElement, style = getComputedStyle(one);
                  return [one.matches(selector), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 1];
                }""",
                selector,
            )
            if found[0]:
                assert found[1], f"the focus on {selector} cannot be seen"
                return
        raise AssertionError(f"no key leads to {selector} on {buyer.page.url}:\n{buyer.said()}")

    def enter(selector: str) -> None:
        reach(selector)
        with buyer.page.expect_navigation():
            buyer.page.keyboard.press("Enter")

    buyer.page.keyboard.press("Tab")
    assert buyer.page.evaluate("document.activeElement.className") == "skip"
    reach("#q")
    buyer.page.keyboard.type("流失")
    buyer.page.wait_for_selector("#found [role=status]")
    enter("#found a")
    enter("a.button.main")
    enter("#order button")
    assert "订单已生效" in buyer.said()
    enter("form[action$='/run/'] button")
    buyer.page.wait_for_selector("#run :text('任务完成')", timeout=60_000)
    # The region that says so to a screen reader is there all the time and changes in place.
    assert buyer.page.locator("#run [role=status]").inner_text() == "已完成"
    enter("#run a.button.main")
    with buyer.page.expect_download() as coming:
        reach("form[action$='/csv/'] button")
        buyer.page.keyboard.press("Enter")
    coming.value.save_as(tmp_path / "product.csv")
    assert (tmp_path / "product.csv").read_text("utf-8-sig").startswith("contract,")


def test_a_provider_without_scripts(person: Callable[..., Reader]) -> None:
    provider = person("provider", java_script_enabled=False)
    provider.go("/publish/")
    provider.page.set_input_files("[name=file]", EXAMPLE / "customers.csv")
    provider.press("上传，看读到什么")
    provider.page.fill("[name=title]", "不用脚本的客户")
    provider.page.select_option("[name=entity_key]", "customer_no")
    provider.press("按此读法发布")
    assert "数据资源已发布" in provider.said()
    provider.follow("拟定上架")
    provider.press("用这两项")
    provider.page.check("[name=group_by][value=contract]")
    provider.page.check("[name=purposes][value=research]")
    provider.page.check("[name=bases][value=contract]")
    provider.page.fill("[name=until]", "2035-12-31")
    provider.press("拟定")
    provider.press("接受本方条件")
    assert "待各方接受" in provider.said()


@pytest.mark.parametrize("who", ["provider", "modeller", "buyer", "operator", "auditor"])
def test_every_page_says_the_same_without_scripts(person: Callable[..., Reader], who: str) -> None:
    """Nothing is filled in by a script alone: each page has its heading and more than that."""
    seen, reader = shots(), person(who, java_script_enabled=False)
    visited = 0
    for owner, name, way in seen.PAGES:
        if owner == who and name != "refused" and "use these two" not in way:
            assert seen.follow(reader.page, reader.site, way), name
            assert reader.page.locator("main h1").count() == 1, name
            assert len(reader.said()) > 25, name
            visited += 1
    assert visited


def test_a_buyer_without_scripts(person: Callable[..., Reader], tmp_path: Path) -> None:
    buyer = person("buyer", java_script_enabled=False, **PHONE)
    buyer.page.fill("[name=q]", "流失")
    buyer.press("查找")
    assert "流失评分" in buyer.said()
    buyer.go("/offers/")
    buyer.follow("流失评分")
    buyer.press("下单")
    assert "订单已生效" in buyer.said()
    buyer.press("开始运行")
    for _ in range(120):
        if "任务完成" in buyer.said():
            break
        buyer.page.wait_for_timeout(500)
        buyer.page.reload()
    buyer.follow("查看交付结果")
    with buyer.page.expect_download() as coming:
        buyer.page.get_by_role("button", name="下载 CSV").click()
    coming.value.save_as(tmp_path / "product.csv")
    assert (tmp_path / "product.csv").read_text("utf-8-sig").startswith("contract,")


def test_the_operating_company_starts_a_run_again(person: Callable[..., Reader]) -> None:
    operator = person("operator")
    operator.go("/desk/")
    assert "任务多次意外中断" in operator.said()
    operator.press("重新开始")
    assert "任务已重新开始" in operator.said()
    operator.page.wait_for_selector("#run :text('任务完成')", timeout=60_000)
    assert operator.page.locator(".receipt :text('任务重新开始')").count() == 1
    operator.go("/desk/")
    assert operator.page.get_by_role("button", name="重新开始").count() == 0
    operator.follow("已重新开始")
    operator.go("/me/statement/")
    assert "结算" in operator.said()


def test_an_auditor_takes_the_uses_along_and_verifies_one(person: Callable[..., Reader], tmp_path: Path) -> None:
    auditor = person("auditor")
    auditor.go("/audit/")
    auditor.page.fill("[name=party]", "锦帆金融")
    auditor.press("查找")
    assert "流失评分" in auditor.said()
    for kind in ("XLSX", "CSV"):
        with auditor.page.expect_download() as coming:
            auditor.page.get_by_role("button", name=f"导出 {kind}").click()
        coming.value.save_as(tmp_path / f"uses.{kind.lower()}")
    rows = list(load_workbook(tmp_path / "uses.xlsx").active.iter_rows(values_only=True))  # type: ignore[union-attr]
    assert {row[4] for row in rows[1:]} == {"锦帆金融"}
    assert (tmp_path / "uses.csv").read_text("utf-8-sig").count("\n") == len(rows)
    auditor.follow("校验")
    auditor.press("在本机校验")
    auditor.page.wait_for_selector("[data-verdict=true]", timeout=20_000)
    auditor.go("/ledger/")
    auditor.page.fill("[name=number]", "20")
    auditor.press("翻到这一条")
    auditor.follow("打开")
    assert "存证回执" in auditor.said()


@pytest.mark.parametrize(("heading", "tongue"), [("中文", "zh-CN"), ("English", "en-GB")])
def test_the_first_hour_as_it_is_written(
    person: Callable[..., Reader], tmp_path: Path, heading: str, tongue: str
) -> None:
    """docs/first-hour.md: every row of its table, and then its commands; the sign-ins are the demonstration's."""
    here: dict[str, Reader] = {}
    for step in first_hour.steps(heading):
        if step.who not in here:
            here[step.who] = person(step.who, locale=tongue)
        first_hour.do(here[step.who], step, tmp_path)
    key = here["buyer"].page.request.get(here["buyer"].site + "/ledger/key")
    (tmp_path / "log.key").write_bytes(key.body())
    make, verify = first_hour.commands()
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LANG": "zh_CN.UTF-8"}
    subprocess.run(
        ["bash", "-euc", make.replace("make ", "make --dry-run ")], cwd=ROOT, check=True, capture_output=True
    )
    done = subprocess.run(["bash", "-euc", verify], cwd=tmp_path, env=env, check=True, capture_output=True, text=True)
    assert "回执成立" in done.stdout


def test_both_languages_of_the_first_hour_say_the_same() -> None:
    chinese, english = first_hour.steps("中文"), first_hour.steps("English")
    assert len(chinese) > 10
    assert [(one.who, one.place.startswith("/") and one.place) for one in chinese] == [
        (one.who, one.place.startswith("/") and one.place) for one in english
    ]


def shots() -> Any:
    """The list of pages, and the way to each."""
    loader = SourceFileLoader("screenshots", str(ROOT / "scripts" / "screenshots"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("mode", ["phone-light-zh", "wide-dark-en"])
def test_every_page_is_accessible_and_fits(site: str, browser: Any, mode: str) -> None:
    """Half of the pages in one mode, half in the other. With SHUDU_SHOTS naming a folder, pictures are kept there."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed")
    seen, readers, wrong = shots(), {}, []
    people = ("", "provider", "modeller", "buyer", "operator", "auditor")
    pages = [one for one in seen.PAGES if one[0] in people][mode.startswith("wide") :: 2]
    for who, name, way in pages:
        if who not in readers:
            readers[who] = Reader(browser, site, who, **how(mode))
        reader = readers[who]
        reader.wrong.clear()
        assert seen.follow(reader.page, site, way), name
        if off := seen.runs_off(reader.page):
            wrong.append(f"{name}: {off} runs off")
        if folder := os.environ.get("SHUDU_SHOTS"):
            reader.page.screenshot(path=Path(folder) / f"{name}.{mode}.png", full_page=True)
        wrong += reader.accessible()
        if name not in ("refused", "not-found"):
            wrong += reader.wrong
    for reader in readers.values():
        reader.context.close()
    assert not wrong, "\n".join(wrong)


def how(mode: str) -> dict[str, Any]:
    size, theme, tongue = mode.split("-")
    return {
        "locale": {"zh": "zh-CN", "en": "en-GB"}[tongue],
        "color_scheme": theme,
        **(PHONE if size == "phone" else {}),
    }
