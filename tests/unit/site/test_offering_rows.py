"""Rows of a table offered on a page: as at the command line, told in both languages, and never more than was chosen."""

from __future__ import annotations

import html
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from shudu.agreements import actions as offers
from shudu.agreements import queries as agreements
from shudu.agreements.models import Offer
from shudu.agreements.types import DraftTable, TableRows
from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishTable
from shudu.govern import queries as govern
from shudu.lake.types import PRESETS, Mask
from shudu.ledger.actions import open_log
from shudu.runs.worker import spread_news
from unit.agreements.conftest import Market, market

from .test_market_pages import MOST_BYTES
from .test_pages import ENGLISH, HAN, Page, check_languages, check_policy
from .test_releasing import client_of

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
PLACE = "/offers/rows/"
ZH: dict[str, Any] = {"headers": {"accept-language": "zh"}}
PHONES = [f"138{at:08d}" for at in range(12345678, 12345678 + 40)]
TERMS = {
    "purposes": ["research"], "bases": ["contract"], "runs": "2", "until": "2035-12-31", "price": "100.50",
    "provider": "80", "where": "",
}  # fmt: skip
MADE_UP = sorted((word for p in PRESETS.values() for word in (p.example, p.shows)), key=len, reverse=True)
AS = {"as:no": "clear", "as:手机号": "mobile", "as:region": "clear", "as:tenure": "clear", 'as:it\'s "odd"': "clear"}


@pytest.fixture
def owner(market: Market, tmp_path: Path) -> Client:
    rows = [f"C{at:03d},{phone},{'东' if at % 2 else '西'},{at},1" for at, phone in enumerate(PHONES)]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(['no,手机号,region,tenure,"it\'s ""odd"""', *rows]) + "\n", encoding="utf-8")
    market.data = catalog.publish(market.provider, PublishTable(source=table, title="居民", key="no")).id
    return client_of(market.operator, market.provider.party, "owner")


def sent(market: Market, **changes: Any) -> dict[str, Any]:
    return {"data": market.data, "key": "k", **AS, **TERMS, **changes}


def chosen(page: str) -> dict[str, str]:
    """Of each column's select, what is chosen."""
    found = {}
    for name, options in re.findall(r'<select id="id_as_\d+" name="as:([^"]+)">(.*?)</select>', page, re.DOTALL):
        found[html.unescape(name)] = re.findall(r'value="(\w+)" selected', options)[0]
    return found


def test_the_form_masks_personal_data_whole_and_shows_made_up_examples(owner: Client, market: Market) -> None:
    page = owner.get(PLACE, {"data": market.data}, **ZH).content.decode()
    assert chosen(page) == {name.removeprefix("as:"): "clear" for name in AS} | {"手机号": "whole"}
    assert "手机号码（常用）：13812345678 → 138****5678" in page
    assert all(f"{preset.example} → {preset.shows}" in page for preset in PRESETS.values())
    assert not any(phone in page for phone in PHONES if phone != "13812345678")
    check_policy(Page(page))
    check_languages(owner, f"{PLACE}?data={market.data}", ("居民", "手机号", *MADE_UP))


def test_a_preview_measures_the_very_rows(owner: Client, market: Market) -> None:
    asked = {"columns": [name.removeprefix("as:") for name in AS], "masks": {"手机号": "mobile"}}
    report = govern.anonymity(market.provider, TableRows(data=market.data, **asked))  # type: ignore[arg-type]
    found = report.found
    assert (found.k, found.classes, found.below_controlled) == (1, 40, 40)
    for how in ({}, {"headers": {"hx-request": "true", "accept-language": "zh"}}):
        answer = owner.post(PLACE, sent(market, preview="1"), **(how or ZH))
        page = answer.content.decode()
        assert answer.status_code == 200
        assert ("<html" in page) is (not how)
        for said in ("最小的一类只有 1 条（应不少于 5）", "40 类，其中 40 类不足 5 条", "最坏 100.0% 可被认出",
                     "40 条，其中独一无二的 40 条", "机器执行", "¥ 100.50"):  # fmt: skip
            assert said in page, said
        assert 'name="acknowledged_k"' in page
    assert not Offer.objects.exists()
    # Columns chosen to know people by, a condition, and what is not filled in yet.
    half = sent(market, preview="1", until="", quasi=["tenure"], where="tenure < 10")
    page = owner.post(PLACE, half, **ZH).content.decode()
    assert "10 行，5 列" in page
    assert "<code>tenure</code>" in page
    assert "其余条件填好后" in page
    none = owner.post(PLACE, sent(market, preview="1", where="tenure > 100"), **ZH).content.decode()
    assert "没有一行符合条件" in none


def test_a_preview_reads_in_both_languages(owner: Client, market: Market) -> None:
    for language, other in (("zh", ENGLISH), ("en", HAN)):
        answer = owner.post(PLACE, sent(market, preview="1"), headers={"accept-language": language})
        page = Page(answer.content.decode())
        check_policy(page)
        said = page.in_language({"zh": "zh-CN", "en": "en"}[language])
        for name in ("居民", "手机号", *MADE_UP):
            said = said.replace(name, "")
        assert not other.search(said), said


def test_each_step_is_one_press_and_does_what_it_says(owner: Client, market: Market) -> None:
    page = owner.post(PLACE, sent(market, preview="1", quasi=["手机号", "tenure"]), **ZH).content.decode()
    steps = [html.unescape(one) for one in re.findall(r'name="apply" value="([^"]+)"', page)]
    promised = [int(one) for one in re.findall(r"），k 为 (\d+)", page)]
    assert len(steps) == len(promised) > 1
    for step, k in zip(steps, promised, strict=True):
        after = owner.post(PLACE, sent(market, apply=step, quasi=["手机号", "tenure"]), **ZH).content.decode()
        assert f"<dt>k</dt><dd>{k}</dd>" in after
        assert list(chosen(after).values()).count("whole") == step.count("whole")
    assert 'name="acknowledged_k"' not in after, "with the last one it is enough"
    # Another mask than there is, or another column, changes nothing.
    odd = owner.post(PLACE, sent(market, apply="no=nothing&nobody=whole"), **ZH).content.decode()
    assert chosen(odd) == {name.removeprefix("as:"): way for name, way in AS.items()}
    many = owner.post(PLACE, sent(market, apply="&".join(["no=whole"] * 61)), **ZH)
    assert (many.status_code, "一次至多改 60 列的掩码" in many.content.decode()) == (400, True)


def test_a_small_k_is_said_back_as_at_the_command_line(owner: Client, market: Market) -> None:
    refused = owner.post(PLACE, sent(market), **ZH)
    assert refused.status_code == 403
    page = refused.content.decode()
    assert "照实填写最小一类的记录数 k：1。" in page
    assert "acknowledged_k =" not in page
    assert "<dt>k</dt><dd>1</dd>" in page, "the report stands beside the refusal"
    assert chosen(page)["手机号"] == "mobile"
    for wrong, status in (("2", 403), ("eins", 400)):
        assert owner.post(PLACE, sent(market, acknowledged_k=wrong, key="w"), **ZH).status_code == status
    assert not Offer.objects.exists()
    for _ in range(2):
        done = owner.post(PLACE, sent(market, acknowledged_k="1", key="same"))
        assert done.status_code == 303
    offer = Offer.objects.get()
    assert done.headers["Location"] == f"/offers/{offer.id}/"
    assert (offer.price_fen, offer.split) == (10_050, {"provider": 80, "modeller": 0, "platform": 20})
    (line,) = agreements.lines(offer.id)
    same = DraftTable(
        data=market.data, columns=tuple(name.removeprefix("as:") for name in AS), masks={"手机号": Mask.MOBILE},
        purposes=["research"], bases=["contract"], runs=2, until=date(2035, 12, 31), price_fen=10_050,  # type: ignore[arg-type]
    )  # fmt: skip
    assert agreements.terms_of(line) == agreements.preview_table(market.provider, same).terms
    assert "每次交付" in owner.get(f"/offers/{offer.id}/", **ZH).content.decode()


def test_a_suggested_column_left_out_is_seen_by_the_desk_and_not_by_who_may_buy(owner: Client, market: Market) -> None:
    page = owner.get(PLACE, {"data": market.data}, **ZH).content.decode()
    assert 'name="not_quasi" value="手机号"' in page
    assert 'name="quasi" value="手机号"' not in page, "it is counted by already"
    assert owner.post(PLACE, sent(market, quasi=["tenure"]), **ZH).status_code == 403
    clear = sent(market, not_quasi=["手机号"], **{"as:手机号": "clear"})
    page = owner.post(PLACE, clear, **ZH)
    assert page.status_code == 400
    assert "这些列原样提供时直接认出个人，不能不计入：手机号。" in page.content.decode()
    left = {"not_quasi": ["手机号", "tenure", "no"]}
    page = owner.post(PLACE, sent(market, preview="1", **left), **ZH).content.decode()
    assert "系统提出而未计入，将记录在案" in page
    place = owner.post(PLACE, sent(market, **left)).headers["Location"]
    offer = Offer.objects.get()
    assert (offer.anonymity["left_out"], offer.anonymity["quasi"]) == (["手机号"], ["region"])
    offers.accept(market.provider, offer.id)
    open_log(market.operator, base_iri="https://data.example.org", software="shudu test")
    while spread_news():
        pass
    for who, sees in ((market.provider, True), (market.operator, True), (market.buyer, False)):
        reader = client_of(market.operator, who.party, f"reads-{who.party}")
        page = reader.get(place, **ZH).content.decode()
        assert "条件摘要" in page
        assert ("系统提出而未计入" in page) is sees
        receipt = reader.get(f"/receipts/offer.drafted/{offer.id}/file/").content.decode()
        assert '"terms_sha256"' in receipt
        assert ('"anonymity"' in receipt) is sees


def test_what_the_form_does_not_speak_of_stays_behind(owner: Client, market: Market) -> None:
    form = {key: value for key, value in sent(market).items() if key not in ("as:手机号", "as:tenure")}
    place = owner.post(PLACE, {**form, "as:no": "out", "as:nobody": "clear"}).headers["Location"]
    (line,) = agreements.lines(place.strip("/").split("/")[-1])
    assert agreements.terms_of(line).use.columns == frozenset({"region", 'it\'s "odd"'})  # type: ignore[union-attr]
    nothing = owner.post(PLACE, {**sent(market), **dict.fromkeys(AS, "out")}, **ZH)
    assert nothing.status_code == 400
    assert "一列也没有提供" in nothing.content.decode()
    for preview in ({}, {"preview": "1"}):
        odd = owner.post(PLACE, sent(market, **{"as:region": "no-such-mask"}, **preview), **ZH)
        assert odd.status_code == 400
        assert "“region”列选了没有的提供方式。" in odd.content.decode()
        assert "no-such-mask" not in odd.content.decode()


def test_only_its_owner_is_shown_a_table_here(owner: Client, market: Market) -> None:
    buyer = client_of(market.operator, market.buyer.party, "buyer")
    page = buyer.get(PLACE, {"data": market.data}).content.decode()
    assert "as:region" not in page
    answer = buyer.post(PLACE, sent(market, acknowledged_k="1"))
    assert "as:region" not in answer.content.decode()
    assert not Offer.objects.exists()
    assert Client().get(PLACE).status_code == 302


def test_a_wide_table_is_chosen_from_by_name(owner: Client, market: Market, tmp_path: Path) -> None:
    names = [f"c{at:03d}" for at in range(100)]
    file = tmp_path / "wide.csv"
    file.write_text("\n".join([",".join(names), *([",".join("1" * 100)] * 6)]) + "\n", "utf-8")
    wide = catalog.publish(market.provider, PublishTable(source=file, title="宽表")).id
    page = owner.get(PLACE, {"data": wide}, **ZH).content.decode()
    assert len(chosen(page)) == 60
    assert len(page.encode()) < MOST_BYTES
    assert "另有 40 列" in page
    page = owner.get(PLACE, {"data": wide, "only": "c099，c001, c050"}, **ZH).content.decode()
    assert list(chosen(page)) == ["c001", "c050", "c099"]
    form = {**TERMS, "data": wide, "only": "c099", "key": "k", "as:c099": "clear", "as:c001": "clear"}
    place = owner.post(PLACE, form).headers["Location"]
    (line,) = agreements.lines(place.strip("/").split("/")[-1])
    assert agreements.terms_of(line).use.columns == frozenset({"c099"})  # type: ignore[union-attr]
