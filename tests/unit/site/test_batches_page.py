"""What came in as batches: on the list of who handed it in, and beside the version it became."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shudu.catalog import queries as catalog
from shudu.collect import actions
from shudu.collect.models import Batch
from shudu.identity import queries as parties
from shudu.policy import ids
from shudu.policy.types import Invalid
from shudu.site.paging import SHOWN
from unit.collect.headers import CHANNELS, header

from .test_market_pages import EXAMPLE, HAN_NAMES, NAMES, TITLE, Town, town
from .test_pages import check_languages

assert town  # the fixture
BASIS = "《成都市公共数据管理应用规定》<b>第十条</b>"


@pytest.fixture
def handed_in(town: Town, tmp_path: Path) -> Town:
    """One batch accepted through each of two channels, and one refused for its count."""
    actor = parties.actor_for(town.ids["provider"])
    code = catalog.asset(actor, town.ids["asset"]).code
    lines = (EXAMPLE / "customers.csv").read_text("utf-8").splitlines()
    for number, channel in enumerate(("administrative", "sensor", "web")):
        file = tmp_path / "batch.csv"
        file.write_text("\n".join([lines[0], *(f"B{number}{line}" for line in lines[1:4])]) + "\n", "utf-8")
        wrong: dict[str, Any] = {"record_count": 17_017} if channel == "web" else {}
        told = header(file, code, actor.party, channel=channel, batch_id=f"batch-{number}", legal_basis=BASIS, **wrong)
        if wrong:
            with pytest.raises(Invalid, match=r"batch\.count"):
                actions.accept_batch(actor, told, file)
        else:
            actions.accept_batch(actor, told, file)
    return town


def read(town: Town, who: str, path: str, language: str = "zh") -> str:
    answer = town.clients[who].get(path, headers={"accept-language": language})
    assert answer.status_code == 200, path
    return str(answer.content.decode())


def test_each_is_listed_with_what_became_of_it(handed_in: Town) -> None:
    page = read(handed_in, "provider", "/batches/")
    assert [page.count(f"<h3>batch-{number}</h3>") for number in range(3)] == [1, 1, 1]
    why = ("未接收", "batch.count", "17017", "文件的行数与批次头不符。")
    for said in ("行政收集", "传感采集", "网络搜集", *why, TITLE):
        assert said in page, said
    assert page.index("batch-2") < page.index("batch-0"), "the newest first"
    assert "another number of rows" in read(handed_in, "provider", "/batches/", "en")
    assert "<b>第十条" not in page
    check_languages(handed_in.clients["provider"], "/batches/", (*HAN_NAMES, BASIS))
    assert "batch-1" not in read(handed_in, "stranger", "/batches/")
    assert NAMES["provider"] in read(handed_in, "auditor", "/batches/")

    for path in ("/publish/", "/me/"):
        assert 'href="/batches/"' in read(handed_in, "provider", path), "a link leads there"

    refused = Batch.objects.get(state=Batch.State.REFUSED)
    for number in range(SHOWN):
        refused.pk, refused.header_sha256 = ids.new("batch"), f"{number:064x}"
        refused.save(force_insert=True)
    first = read(handed_in, "provider", "/batches/")
    assert "batch-0" not in first
    older = first.partition('href="?after=')[2].partition('"')[0]
    assert "batch-0" in read(handed_in, "provider", f"/batches/?after={older}")


def test_a_version_says_which_batch_it_came_as(handed_in: Town) -> None:
    path = f"/assets/{handed_in.ids['asset']}/"
    page = read(handed_in, "provider", path)
    for said in ("由何而来", "行政收集", "批次 batch-0", "2026-02-01 至 2026-02-28", f"{NAMES['provider']}提交"):
        assert said in page, said
    assert "《成都市公共数据管理应用规定》&lt;b&gt;" in page
    assert "batch-2" not in page, "what was refused became no version"
    assert "batch batch-1, 2026-02-01 to 2026-02-28" in read(handed_in, "provider", path, "en")
    changes = page.partition(f'href="{path}changes/')[2].partition('"')[0]
    page = read(handed_in, "provider", f"{path}changes/{changes}")
    assert "第 3 版改了什么" in page
    check_languages(handed_in.clients["provider"], path, (*HAN_NAMES, BASIS))
    assert "B1" in page, "the rows the newest batch brought"


def test_every_channel_has_a_word() -> None:
    from shudu.site import words

    assert set(words.CHANNELS) == set(CHANNELS)
