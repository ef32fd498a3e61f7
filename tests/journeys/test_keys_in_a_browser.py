"""A ledger's key is followed by another: receipts from before and after verify in a browser, each under its own key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from journeys.browser import CHROMIUM, EXAMPLE, Reader, served

PEOPLE = """
import sys
from pathlib import Path
from shudu.cli.house import open_home
open_home(Path(sys.argv[1]))
from pydantic import SecretStr
from shudu.identity import actions, queries
from shudu.identity.types import CreateParty, MemberRole
operator = queries.actor_for(queries.operator().id)
party = actions.create_party(operator, CreateParty(name="竹枝数据", code="91510100MA0000103G"))
actions.add_member(operator, party.id, "provider", MemberRole.ADMIN, password=SecretStr(sys.argv[2]))
"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    # Playwright's own event loop leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def test_receipts_of_both_keys_verify(tmp_path: Path) -> None:
    def command(*words: object) -> Any:
        env = {**os.environ, "SHUDU_HOME": str(tmp_path / "home"), "SHUDU_KEYS": str(tmp_path / "keys")}
        line = [sys.executable, "-m", "shudu.cli", *map(str, words), "--json"]
        return json.loads(subprocess.run(line, env=env, capture_output=True, text=True, check=True).stdout)

    def publish(title: str) -> str:
        made = command("publish", EXAMPLE / "customers.csv", "--owner", "竹枝数据", "--title", title)
        return str(made["id"])

    with served(tmp_path, PEOPLE) as site, playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        owner = Reader(browser, site, "provider")

        def kept(asset: str) -> Path:
            """The receipt of an asset as its owner downloads it, once its entry is in the ledger."""
            page = f"/receipts/asset.published/{asset}/"
            for _ in range(120):
                if owner.context.request.get(site + page).ok:
                    break
                owner.page.wait_for_timeout(250)
            owner.go(page)
            with owner.page.expect_download() as coming:
                owner.follow("下载回执")
            file = tmp_path / f"{asset}.json"
            coming.value.save_as(file)
            return file

        first = publish("换钥前")
        old_key = command("ledger", "key")["key"]
        old = kept(first)
        new_key = command("keys", "rotate", "ledger")["key"]
        assert new_key != old_key
        kept(publish("换钥时"))  # the first entries of the new key lie under a checkpoint that both keys sign
        second = publish("换钥后")
        new = kept(second)

        def judged(reader: Reader, verdict: bool, *, receipt: Path | None = None, key: str = "") -> None:
            if receipt is not None:
                reader.page.set_input_files("[name=receipt]", receipt)
            reader.page.fill("[name=verifier]", key)
            # The verdict before must not be taken for this one.
            reader.page.evaluate("document.querySelector('[data-verify] [data-verdict]').dataset.verdict = ''")
            reader.press("在本机校验")
            reader.page.wait_for_selector(f"[data-verdict={str(verdict).lower()}]", timeout=20_000)

        # Anybody, at a page that knows nothing of the receipts, with the keys the site publishes and with one alone.
        stranger = Reader(browser, site)
        stranger.go("/verify/")
        for receipt, key, verdict in (
            (old, "", True), (new, "", True), (old, old_key, True), (new, new_key, True),
            (old, new_key, False), (new, old_key, False),
        ):  # fmt: skip
            judged(stranger, verdict, receipt=receipt, key=key)
        # Their owner, at the receipts' own pages: what is shown of the first now lies under the new key as well.
        for asset in (first, second):
            owner.go(f"/receipts/asset.published/{asset}/")
            judged(owner, True)
            judged(owner, True, key=new_key)
            judged(owner, False, key=old_key)
        assert stranger.wrong == owner.wrong == []
        browser.close()
