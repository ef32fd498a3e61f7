"""A machine that cannot contain a model: the house opens all the same, and every door says why no model runs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import ports
from journeys.console import BUYER, Console

MACHINE = Path(__file__).parents[1] / "unit" / "cleanroom" / "machine.py"
PERSON = "望江客户研究院"  # the demonstration's buyer
REASON = {"zh": "模型不予运行", "en": "no model is run"}


def poorer(without: str) -> list[str]:
    """`shudu` on this machine with a part of it really taken away."""
    return [sys.executable, str(MACHINE), without, "--", sys.executable, "-m", "shudu.cli"]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def up(console: Console) -> Iterator[tuple[str, dict[str, str]]]:
    """`shudu up --demo`, which is what `make run` starts, without bubblewrap: its address and the sign-ins."""
    port = ports.free()
    with (console.folder / "up.log").open("w") as log:
        process = subprocess.Popen(
            [*poorer("bubblewrap"), "up", "--demo"],
            env={**console.env, "SHUDU_PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 240
    while not answers(port):
        assert process.poll() is None, (console.folder / "up.log").read_text()
        assert time.monotonic() < deadline, "it does not start"
        time.sleep(0.3)
    known = json.loads(Path(f"{console.home}.keys", "demonstration-sign-ins.json").read_text("utf-8"))
    yield f"http://127.0.0.1:{port}", known
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, (console.folder / "up.log").read_text()


class Reader:
    """Somebody signed in with a browser's cookies."""

    def __init__(self, site: str, name: str, password: str) -> None:
        self.site, self.jar = site, CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.send("/sign-in/", {"login": name, "password": password})

    def see(self, path: str, language: str = "en") -> str:
        asked = urllib.request.Request(self.site + path, headers={"Accept-Language": language})
        with self.opener.open(asked, timeout=30) as answer:
            return str(answer.read().decode())

    def send(self, path: str, fields: dict[str, str]) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.see(path))
        assert token
        asked = urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        headers = {"Origin": self.site, "Referer": self.site + path}
        with self.opener.open(urllib.request.Request(self.site + path, asked, headers), timeout=30) as answer:
            return str(answer.geturl())


def test_make_run_starts_and_page_api_and_command_say_why_no_model_runs(
    console: Console, up: tuple[str, dict[str, str]]
) -> None:
    site, sign_ins = up
    assert "shudu sandbox check" in (console.folder / "up.log").read_text().replace("\n", " "), "said when it starts"
    buyer = Reader(site, "buyer", sign_ins["buyer"])
    (order, *_) = re.findall(r"ord_\w{26}", buyer.see("/orders/"))
    run = console.do("orders", "show", order, "--as", PERSON)["runs"][0]["run"]

    for language, words in REASON.items():
        page = buyer.see(f"/runs/{run}/", language)
        assert words in page
        assert "sandbox.unavailable" in page

    secret = console.do("tokens", "create", PERSON, "--write")["secret"]
    asked = urllib.request.Request(f"{site}/api/v1/runs/{run}", headers={"Authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
    assert told["error"]["code"] == "sandbox.unavailable"
    assert all(words in told["error"]["message"][language] for language, words in REASON.items())
    assert told["state"] == "failed"

    assert console.funds(PERSON) == (100_000_000, 0), "nobody paid for it"


@pytest.mark.parametrize("without", ["bubblewrap", "namespaces"])
def test_a_run_at_the_command_line_is_refused_with_the_reason(console: Console, without: str) -> None:
    console.do("init")
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "5000")
    order = console.order(console.live_offer())
    words = [*poorer(without), "runs", "start", order, "--wait", "--as", BUYER]
    done = subprocess.run(
        words,
        env={**console.env, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "SHUDU_LANGUAGE": "en"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert REASON["en"] in done.stdout + done.stderr
    assert "sandbox.unavailable" in done.stdout + done.stderr
    assert console.funds(BUYER) == (500_000, 0)
