"""People at a browser, in a home that is served: Chromium, the real server and its worker, nothing in between."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ports

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
EXAMPLE = ROOT / "docs" / "example"
PASSWORD = "芙蓉花开早晚三醉-2026"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Beyond WCAG, what a screen reader finds its way by.
LANDMARKS = [
    "empty-heading",
    "heading-order",
    "landmark-banner-is-top-level",
    "landmark-main-is-top-level",
    "landmark-no-duplicate-banner",
    "landmark-no-duplicate-contentinfo",
    "landmark-one-main",
    "landmark-unique",
    "page-has-heading-one",
    "region",
]


@contextmanager
def served(folder: Path, people: str) -> Iterator[str]:
    """A fresh home filled by the script `people` (it is told the home and the password), served, with its worker."""
    home = folder / "home"
    env = {**os.environ, "SHUDU_HOME": str(home), "SHUDU_KEYS": str(folder / "keys")}
    subprocess.run([sys.executable, "-c", people, str(home), PASSWORD], env=env, check=True)
    port = ports.free()
    start = [sys.executable, "-m", "shudu.cli"]
    with (folder / "log").open("wb") as log:
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

    def __init__(self, browser: Any, site: str, username: str = "", **how: Any) -> None:
        self.context = browser.new_context(**{"locale": "zh-CN", "accept_downloads": True, **how})
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("response", lambda got: got.status >= 400 and self.wrong.append(f"{got.status} {got.url}"))
        self.site = site
        if username:
            self.go("/sign-in/")
            self.page.fill("[name=login]", username)
            self.page.fill("[name=password]", PASSWORD)
            self.page.keyboard.press("Enter")
            self.page.wait_for_url(f"{site}/")

    def go(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.site + path)

    def press(self, words: str) -> None:
        self.page.locator("main").get_by_role("button", name=words).first.click()
        self.page.wait_for_load_state()

    def follow(self, words: str) -> None:
        self.page.locator("main").get_by_role("link", name=words).first.click()
        self.page.wait_for_load_state()

    def said(self) -> str:
        """What stands in the page's main part."""
        return str(self.page.inner_text("main"))

    def accessible(self) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA, and among the landmarks; run outside the page's own policy."""
        found = self.page.context.new_cdp_session(self.page)
        found.send("Page.setBypassCSP", {"enabled": True})
        self.page.reload()
        self.page.add_script_tag(path=str(AXE))
        result = self.page.evaluate(
            """async ([tags, landmarks]) => {
              const law = await axe.run({ runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
              const way = await axe.run({ runOnly: { type: "rule", values: landmarks }, resultTypes: ["violations"] });
              return [...law.violations, ...way.violations];
            }""",
            [WCAG, LANDMARKS],
        )
        found.send("Page.setBypassCSP", {"enabled": False})
        return [f"{self.page.url} {one['id']}: {one['nodes'][0]['html'][:120]}" for one in result]
