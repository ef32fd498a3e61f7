"""Wrong values for every field of every request: no English sentence in Chinese, nor the reverse, at both doors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shudu.accounts.api import Deposit
from shudu.agreements.api import Revocation
from shudu.agreements.types import DraftOffer, DraftTable
from shudu.catalog.api import Review
from shudu.catalog.types import (
    CoreFields,
    ModelFields,
    PublishModel,
    PublishTable,
    TableFields,
    UpdateCycle,
    VersionFields,
)
from shudu.cleanroom.api import Opinion
from shudu.cleanroom.types import OwnRules
from shudu.cli import session, usage
from shudu.collect.api import NewBatch, NewPackage
from shudu.collect.types import AddSource, CreateUpload, OpenFeed, RegisterKey, Survey
from shudu.exchange.types import PlaceOrder
from shudu.govern.quality_rules import Rules
from shudu.identity.api import NewToken, PartyQuery
from shudu.identity.types import CreateParty, IssueToken
from shudu.lake.types import Reading
from shudu.ledger.api import ReceiptKey
from shudu.policy import wording
from shudu.policy.api import Paging
from shudu.policy.types import ShuduError, Text
from shudu.site.api import document

MODELS: list[type[BaseModel]] = [
    AddSource, CoreFields, CreateParty, CreateUpload, Deposit, DraftOffer, DraftTable, IssueToken, ModelFields,
    NewBatch, NewPackage, NewToken, OpenFeed, Opinion, OwnRules, Paging, PartyQuery, PlaceOrder, PublishModel,
    PublishTable, Reading, ReceiptKey, RegisterKey, Review, Revocation, Rules, Survey, TableFields, UpdateCycle,
    VersionFields,
]  # fmt: skip
GOOD: dict[type[BaseModel], dict[str, Any]] = {
    CreateParty: {"name": "甲"},
    DraftTable: {
        "data": "a", "purposes": ["research"], "bases": ["contract"], "runs": 1, "until": "2035-12-31", "price_fen": 1,
    },
    CreateUpload: {"name": "a.csv", "size": 1, "sha256": "0" * 64},
    AddSource: {"name": "库", "kind": "mysql", "host": "db.example.cn", "database": "d", "user": "u"},
    OpenFeed: {"source": "a", "table": "t", "title": "表"},
    DraftOffer: {
        "data": "a", "model": "b", "group_by": ["c"], "purposes": ["research"], "bases": ["contract"], "runs": 1,
        "until": "2035-12-31", "price_fen": 1, "split": {"provider": 60, "modeller": 30, "platform": 10},
    },
}  # fmt: skip
WRONG: list[Any] = [
    None, "", " ", "x", "\u202e", "x" * 30_000, 0, -1, 10**30, 1.5, True, [], [1], ["x"] * 300, {}, {"x": 1},
    {"zh": 1}, {"provider": -1}, b"\xff", "2020-99-99", object(),
]  # fmt: skip
SENTENCE = re.compile(r"[A-Za-z]+ [a-z]+ [a-z]+")  # three words of English behind each other
HAN = re.compile("[\u4e00-\u9fff]")


def fine(text: Text) -> bool:
    # What stands in quotation marks is the caller's own, and codes are codes in both languages.
    zh, en = (re.sub("“[^”]*”", "", one) for one in (text.zh, text.en))
    return (
        bool(HAN.search(zh))
        and not SENTENCE.search(zh)
        and "' or '" not in zh
        and not HAN.search(en)
        and bool(en.strip())
    )


def said(make: Any, **values: Any) -> list[Text]:
    try:
        make(**values)
    except ValidationError as error:
        return [wording.of(one) for one in error.errors(include_url=False)]
    except ShuduError as error:
        return [error.message, *([error.remedy] if error.remedy else [])]
    return []


def test_every_request_is_looked_at() -> None:
    asked = {"Paging", "PartyQuery"}  # of addresses
    for _, _, operation in document.operations(document.document()):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            asked |= set(re.findall(r"#/components/schemas/(\w+)", str(content["schema"])))
    assert asked <= {model.__name__ for model in MODELS} | {"MultiPartBodyParams", "FormParams", "FileParams"}, asked


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_says_what_is_wrong_in_both_languages(model: type[BaseModel]) -> None:
    told = []
    for name in [*model.model_fields, "no_such_field"]:
        for value in WRONG:
            told += said(model, **{**GOOD.get(model, {}), name: value})
    told += said(model)
    assert len(told) > 10 or model in (ReceiptKey, PartyQuery)
    assert [one for one in told if not fine(one)] == []


def test_the_command_line_says_it_in_the_same_words() -> None:
    told = []
    for model in MODELS:
        for name in model.model_fields:
            for value in WRONG:
                try:
                    session.typed(model, **{**GOOD.get(model, {}), name: value})
                except ShuduError as error:
                    told.append(error.message)
    assert len(told) > 300
    assert [one for one in told if not fine(one)] == []


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"], ["offers", "nothing"], ["orders", "place"], ["assets", "list", "--limit", "0"],
        ["assets", "list", "--limit"], ["serve", "--port", "x"], ["orgs", "create", "a", "b", "--code", "c"],
        ["--nothing"], ["offers", "create", "--nothing"], ["tokens", "create", "x", "--days", "soon"],
    ],
)  # fmt: skip
def test_a_command_written_wrong_is_explained_in_both(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from typer.exceptions import TyperException

    from shudu.cli.main import app

    with pytest.raises(TyperException) as caught:
        app(words, standalone_mode=False)
    assert usage.explain(caught.value, [*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "usage"
    assert fine(Text(**error["message"]))
    assert "--help" in error["remedy"]["zh"]


def test_a_core_file_has_a_size_and_a_depth(tmp_path: Path) -> None:
    import os

    from shudu.cli.assets import JSON_BYTES, json_object

    for name, data in {"big": b" " * (JSON_BYTES + 1), "deep": b"[" * 90_000, "list": b"[]", "none": None}.items():
        file = tmp_path / name
        if data is not None:
            file.write_bytes(data)
        with pytest.raises(ShuduError) as caught:
            json_object(file, "publish.core", Text("核心字段文件", "file of core fields"))
        assert caught.value.code == ("file.too_large" if name == "big" else "publish.core")
        assert fine(caught.value.message)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ShuduError):
        json_object(tmp_path / "pipe", "publish.core", Text("核心字段文件", "file of core fields"))
