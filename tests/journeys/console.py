"""A person at the command line, with a home of their own: every call is a process of its own, as it is for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
PROVIDER, PROVIDER_CODE = "甲数据公司", "91510100MA0000103G"
MODELLER, MODELLER_CODE = "乙模型公司", "91510100MA000020XN"
BUYER, BUYER_CODE = "丙研究院", "52510100MA00003066"


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out)
        return told

    @property
    def error(self) -> str:
        return str(self.json["error"]["code"])


class Console:
    """With `fresh`, every command starts a new interpreter; without, it is forked from one that has opened the home."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder = folder
        self.fresh = fresh
        self.home = folder / "home"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SHUDU_", "DJANGO_"))},
            "SHUDU_HOME": str(self.home),
            "LANG": "C.UTF-8",
        }
        self._zygote: subprocess.Popen[str] | None = None

    def say(self, *words: object, env: dict[str, str] | None = None) -> Said:
        """Run `shudu` with these words, whatever comes of it."""
        quick = not self.fresh and (self.home / "shudu.sqlite3").exists()
        said = (self._forked if quick else self._started)([str(word) for word in words], env or {})
        assert "Traceback" not in said.err, said.err
        return said

    def _started(self, words: list[str], env: dict[str, str]) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "shudu.cli", *words],
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def _forked(self, words: list[str], env: dict[str, str]) -> Said:
        if self._zygote is None:
            self._zygote = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("zygote.py"))],
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._zygote.stdin
        assert self._zygote.stdout
        out, err = self.folder / ".out", self.folder / ".err"
        order = {"words": words, "cwd": str(self.folder), "env": env, "out": str(out), "err": str(err)}
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        code = int(self._zygote.stdout.readline())
        return Said(code, out.read_text("utf-8"), err.read_text("utf-8"))

    def close(self) -> None:
        if self._zygote is not None:
            self._zygote.communicate(timeout=30)

    def do(self, *words: object) -> dict[str, Any]:
        """Run it with `--json` and expect success."""
        said = self.say(*words, "--json")
        assert said.code == 0, f"{words}: {said.out}{said.err}"
        return said.json

    def refused(self, *words: object) -> str:
        """Run it with `--json`, expect an explained error in both languages, and return its code."""
        said = self.say(*words, "--json")
        assert said.code == 1, f"{words}: {said.code} {said.out}{said.err}"
        error = said.json["error"]
        assert error["message"]["zh"]
        assert error["message"]["en"]
        return str(error["code"])

    # The steps of the main job, with the example's table and scorecard unless told otherwise.

    def register(self) -> None:
        for name, code in ((PROVIDER, PROVIDER_CODE), (MODELLER, MODELLER_CODE), (BUYER, BUYER_CODE)):
            self.do("orgs", "create", name, "--code", code)

    def publish(self, *words: object, file: Path = EXAMPLE / "customers.csv") -> str:
        words = words or ("--key", "customer_no")
        return str(self.do("publish", file, "--owner", PROVIDER, "--title", "客户", *words)["id"])

    def publish_model(self, file: Path = EXAMPLE / "scorecard.json", inputs: str = "tenure,contract") -> str:
        return str(self.do("models", "publish", file, "--owner", MODELLER, "--inputs", inputs)["id"])

    def offer(self, table: str, model: str, **changed: object) -> str:
        terms: dict[str, object] = {
            "group-by": "contract",
            "purpose": "research",
            "basis": "contract",
            "runs": 2,
            "until": "2035-12-31",
            "price": "1200.01",
            "split": "provider=60,modeller=30,platform=10",
            "min-group": 10,
        }
        terms.update({name.replace("_", "-"): value for name, value in changed.items()})
        words = [word for name, value in terms.items() for word in (f"--{name}", value)]
        return str(self.do("offers", "create", "--data", table, "--model", model, *words)["id"])

    def live_offer(self, **changed: object) -> str:
        offer = self.offer(self.publish(), self.publish_model(), **changed)
        self.do("offers", "accept", offer, "--as", PROVIDER)
        self.do("offers", "accept", offer, "--as", MODELLER)
        return offer

    def order(self, offer: str, purpose: str = "research") -> str:
        return str(self.do("orders", "place", offer, "--buyer", BUYER, "--purpose", purpose)["id"])

    def funds(self, org: str) -> tuple[int, int]:
        shown = self.do("accounts", "show", org)
        return shown["available_fen"], shown["reserved_fen"]
