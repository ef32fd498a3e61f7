"""What was bought is offered only as far as its licence goes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shudu.agreements import actions as agreements
from shudu.agreements.types import DraftTable
from shudu.catalog import actions as catalog
from shudu.catalog import queries as assets
from shudu.catalog.types import PublishVersion
from shudu.collect import actions
from shudu.collect.models import Batch
from shudu.lake.types import Mode
from shudu.policy.types import Refused
from unit.agreements.conftest import Market, market
from unit.collect.headers import header

__all__ = ["market"]
pytestmark = pytest.mark.django_db(transaction=True)
LAST = date(2026, 6, 30)
TABLE: dict[str, Any] = {
    "purposes": ["research"], "bases": ["contract"], "runs": 2, "until": LAST, "price_fen": 10_000, "acknowledged_k": 1,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def bought(market: Market, folder: Path, serial: int, mode: Mode = Mode.APPEND, **licence: Any) -> Batch:
    """A batch of three customers under this licence."""
    file = folder / f"bought{serial}.csv"
    file.write_text("customer_no,tenure,region\n" + "".join(f"D{serial}{n},{n},东区\n" for n in range(3)), "utf-8")
    code = assets.asset(market.provider, market.data).code
    told = {"channel": "purchase", "batch_id": f"bought-{serial}", "collected_at": "2026-01-01T00:00:00Z"}
    row: Batch = actions.accept_batch(
        market.provider, header(file, code, market.provider.party, collection=licence, **told), file, mode
    )
    return row


def rows(market: Market, **changes: Any) -> None:
    agreements.draft_table(market.provider, DraftTable.model_validate({**TABLE, "data": market.data, **changes}))


def results(market: Market, **changes: Any) -> None:
    agreements.draft(market.modeller, market.draft(until=LAST, **changes))


def test_each_use_needs_the_licence_of_every_batch_the_version_still_holds(market: Market, folder: Path) -> None:
    bought(market, folder, 1, may_share=False)
    results(market)
    with pytest.raises(Refused, match=r"offer\.licence"):
        rows(market)
    bought(market, folder, 2, may_derive=False)
    with pytest.raises(Refused, match=r"offer\.licence"):
        results(market)
    held = assets.latest(market.data)
    assert held is not None
    own = folder / "own.csv"
    own.write_text("customer_no,tenure,region\n" + "".join(f"E{n},{n},东区\n" for n in range(30)), "utf-8")
    catalog.publish_version(market.provider, PublishVersion(asset=market.data, source=own, mode=Mode.REPLACE))
    results(market)  # none of it was bought
    catalog.restore(market.provider, held.id)
    with pytest.raises(Refused, match=r"offer\.licence"):
        results(market)


def test_an_offer_does_not_outlast_the_licence(market: Market, folder: Path) -> None:
    bought(market, folder, 1, licensed_until="2026-06-30")
    results(market)
    rows(market)
    bought(market, folder, 2, licensed_until="2026-06-29")
    draft = market.draft(until=LAST)
    for actor, told in ((market.provider, True), (market.modeller, False)):
        with pytest.raises(Refused) as refused:
            agreements.draft(actor, draft)
        assert ("2026-06-29" in str(refused.value.message)) is told, "a modeller learns no day"
        assert refused.value.remedy is not None
    with pytest.raises(Refused, match="2026-06-29"):
        rows(market)


def test_what_was_collected_otherwise_has_no_licence(market: Market, folder: Path) -> None:
    rows(market)
    results(market)
