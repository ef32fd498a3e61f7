"""A model is its owner's property: no call, page or command gives it out; in the clear it lies nowhere on a disk."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
import os
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from django.urls import get_resolver, reverse
from pydantic import SecretStr

from shudu.catalog import queries as catalog
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.sandbox import JobSpec, Limits, OutputSpec, job_folder
from shudu.identity import actions as identity
from shudu.identity import queries as parties
from shudu.identity.models import Person
from shudu.identity.types import MemberRole
from shudu.policy import ids
from shudu.runs.worker import settle
from shudu.site.api import document

from .conftest import EXAMPLE, MODEL, Market, Parts
from .test_strangers_console import LEAVES, NOUNS, OPTIONS, console

__all__ = ["console"]

SECRET = "芙蓉-4711-its-owner-alone-knows"
READS = [(path, one) for path, method, one in document.operations(document.document()) if method == "get"]


def secret_model() -> bytes:
    """The scorecard with a category that stands in no column, name or card."""
    card = json.loads(MODEL)
    (item,) = (one for one in card["inputs"] if one["kind"] == "category")
    item["points"][SECRET] = 0
    return json.dumps(card, ensure_ascii=False).encode()


WRITTEN = tuple(
    form
    for text in (SECRET, json.dumps(SECRET).strip('"'), html.escape(SECRET))
    for form in (text.encode(), text.encode("utf-16-le"))
)


def holds(told: bytes) -> bool:
    """Is the secret in these bytes, however it is written, packed in a ZIP or put in base64?"""
    if told.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(told)) as packed:
            return any(holds(packed.read(name)) for name in packed.namelist())
    coded = re.findall(rb"[A-Za-z0-9+/]{40,}", told)
    plain = [base64.b64decode(one[: len(one) // 4 * 4]) for one in coded]
    return any(form in one for form in WRITTEN for one in (told, *plain))


@pytest.mark.parametrize("secret", [0, 1, 2])
def test_what_looks_for_the_secret_finds_it(secret: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model", secret_model())
    assert holds((secret_model(), packed.getvalue(), base64.b64encode(secret_model()))[secret])
    assert not holds(MODEL)


@pytest.fixture(scope="module")
def model(kept: Market, django_db_blocker: Any) -> Market:
    """Traded like any other: offered, ordered and run; one more run's release is held. Each party has a member."""
    with django_db_blocker.unblock():
        fields = {"inputs": ["tenure", "contract"]}
        made = kept.modeller.do("POST", "/models", Parts(fields, secret_model(), "card.json"))
        kept.ids["model"], kept.ids["model_version"] = made["id"], made["version"]["id"]
        kept.trade()
        kept.run()
        asked = kept.draft(review=True)
        for party in (kept.provider, kept.modeller):
            party.do("POST", f"/offers/{asked}/accept")
        order = kept.buyer.do("POST", "/orders", {"offer": asked, "purpose": "research"})
        kept.ids["held"] = kept.buyer.do("POST", f"/orders/{order['id']}/runs")["id"]
        settle(kept.ids["held"])
        assert kept.buyer.get(f"/runs/{kept.ids['held']}")["state"] == "held"
        operator = parties.actor_for(kept.operator.party)
        for who in EVERYBODY:
            secret = SecretStr("a long and private sentence")
            member = identity.add_member(operator, kept.callers[who].party, who, MemberRole.ADMIN, password=secret)
            kept.ids[f"{who} person"] = str(member.person_id)
    return kept


EVERYBODY = ("operator", "provider", "modeller", "buyer")


def known(market: Market, way: str, nouns: Iterable[str]) -> list[dict[str, str]]:
    """What to put for each noun of an address or a command: the model itself, and what was made with it."""
    run = market.ids["held"] if "release" in way else market.ids["run"]
    mine = {**market.ids, "run": run, "file": "product.csv", "version": market.ids["model_version"]}
    itself = {**mine, "asset": market.ids["model"], "result": market.ids["model"]}
    return [itself, {**mine, "asset": market.ids["result"]}][: 2 if {"asset", "result"} & set(nouns) else 1]


@pytest.mark.parametrize("path", [path for path, _ in READS])
def test_no_call_gives_a_model_out(model: Market, db: None, path: str) -> None:
    """Generated from the API's document: every GET, the model's ids wherever an id goes, asked by everybody."""
    for at, meant in enumerate(known(model, path, re.findall(r"{(\w+)}", path))):
        there = path.removeprefix("/api/v1")
        for noun in re.findall(r"{(\w+)}", there):
            there = there.replace(f"{{{noun}}}", meant.get(noun) or ids.new("run"))
        for who in EVERYBODY:
            answer = model.callers[who].call("GET", there)
            told = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
            assert not holds(told)
            if path.startswith("/api/v1/results") and "{file}" in path and not at:
                assert answer.status_code in (403, 404, 409)


ADDRESSES = {
    names: pattern[0][0][0][1]
    for names, pattern in get_resolver("shudu.site.urls").reverse_dict.lists()
    if isinstance(names, str)
}
# Each of these is for somebody, and answers.
ANSWERING = {"asset", "offer", "order", "agreement", "run", "result", "receipt", "receipt_file", "release"}


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_no_page_gives_a_model_out(model: Market, db: None, name: str) -> None:
    """Generated from the map of addresses: every page and every form, as above."""
    answered = set()
    for meant in known(model, name, [one.removesuffix("_id") for one in ADDRESSES[name]]):
        fixed = {"event": "run.closed", "subject": meant["run"], "place": "0/000", "address": "none.css"}
        words = {one: fixed.get(one) or meant.get(one.removesuffix("_id"), "1") for one in ADDRESSES[name]}
        for who in EVERYBODY:
            client = Client()
            client.force_login(Person.objects.get(pk=model.ids[f"{who} person"]))
            for answer in (
                client.get(reverse(name, kwargs=words)),
                client.post(
                    reverse(name, kwargs=words), {"key": ids.new("run"), "opinion": "可", "asset": meant["asset"]}
                ),
            ):
                told = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
                assert not holds(told), (who, words)
                answered.add(answer.status_code)
    assert 500 not in answered
    if name in ANSWERING:
        assert 200 in answered


# These open a home of their own, or do not return; what a backup holds has a journey of its own.
OF_THE_MACHINE = {"init", "worker", "serve", "demo", "up", "backup", "restore", "sandbox check", "keys rotate"}
FILLED = {
    "file": "TABLE", "files": "TABLE", "header": "TABLE", "signing_key": "TABLE", "verifier": "ed25519:none",
    "out": "NEW", "output": "NEW", "owner": "WHO", "buyer": "WHO", "org": "WHO", "code": "none",
    "title": "客户", "opinion": "可", "reason": "breach", "inputs": "tenure,contract", "amount": "5", "which": "log",
    "purpose": "research", "basis": "contract", "count": "1", "until": "2099-12-31", "price": "1",
    "split": "provider=60,modeller=30,platform=10", "subject": "run", "fields": "party", "key": "NEW",
    "name": "库", "kind": "postgresql", "host": "127.0.0.1", "database": "none", "user": "none", "table": "none",
    "source": "src_none", "feed": "feed_none", "cycle": "4",
}  # fmt: skip
SAYING = {
    "assets show", "assets version", "assets versions", "offers show", "orders show", "agreements show", "runs show",
    "results download", "receipts get", "releases show",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(LEAVES) - OF_THE_MACHINE))
def test_no_command_gives_a_model_out(
    model: Market,
    db: None,
    console: Callable[..., tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Generated from the command line itself: what is printed and every file that is written, for everybody."""
    monkeypatch.chdir(tmp_path)
    codes = set()
    for at, meant in enumerate(known(model, name, [one.name for one in LEAVES[name].params])):
        for who in EVERYBODY:
            party = model.callers[who].party
            made = {"TABLE": str(EXAMPLE / "customers.csv"), "NEW": f"{who}{at}.csv", "WHO": party}
            typed = name.split()
            for one in LEAVES[name].params:
                noun = OPTIONS.get(one.name, one.name if one.name in NOUNS else None)
                if noun is None and not one.required:
                    continue
                value = meant[noun] if noun else made.get(FILLED[one.name], FILLED[one.name])
                typed += [*([one.opts[0]] if one.param_type_name == "option" else []), value]
            acting = ["--as", party] if any("--as" in one.opts for one in LEAVES[name].params) else []
            code, told = console(*typed, *acting)
            codes.add(code)
            assert not holds(told.encode())
            assert not list(found_in(tmp_path))
    assert 0 in codes or name not in SAYING, codes


def found_in(*folders: Path) -> Iterator[Path]:
    """Files that hold the secret, however it is written."""
    for folder in folders:
        for place, _, names in os.walk(folder):
            for file in (Path(place, name) for name in names):
                with contextlib.suppress(OSError):  # gone meanwhile, or not ours
                    if file.is_file() and holds(file.read_bytes()):
                        yield file


def test_a_model_at_rest_cannot_be_read(model: Market, db: None, home: Path) -> None:
    assert list(found_in(home)) == []
    raw, card = catalog.model_files(catalog.version_row(model.ids["model_version"]))
    assert SECRET in raw.decode()
    assert card is None


def test_a_model_at_work_lies_in_no_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for on every disk it could be on while its job holds it in memory."""
    worker = tmp_path / "worker.py"
    worker.write_text("import os, time\nos.write(1, os.read(0, 1 << 16)[-8:])\ntime.sleep(3)\n")
    worker.chmod(0o644)
    table = pa.table({"x": [1.0]})
    looked: list[Path] = []
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with job_folder() as folder:
        with pa.OSFile(str(folder / "data"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        inputs, output = (("x", "number"),), OutputSpec("score", 0, 1)
        job = JobSpec("scorecard", secret_model(), folder / "data", 1, inputs, output, Limits(wall_seconds=30))
        sandbox = Bubblewrap(worker)
        sandbox.capabilities()
        told: list[bytes] = []
        thread = threading.Thread(target=lambda: told.append(sandbox.run(job)))
        thread.start()
        time.sleep(1.0)
        alive = thread.is_alive()
        assert any(temporary.iterdir()), "the job's folders are where we look"
        looked += found_in(home, temporary, Path("/dev/shm"), Path("/var/tmp"))
        thread.join()
    assert alive, "the job was at work while we looked"
    assert told == [secret_model()[-8:]], "and held the model"
    assert looked == []
