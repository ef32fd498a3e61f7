"""What a buyer's receipt tells of the release checks: their names and outcomes, and no digest to try guesses on."""

from __future__ import annotations

import hashlib
import json

import pytest
import rfc8785

from shudu.ledger import queries as ledger
from shudu.ledger.models import Disclosure, Entry
from shudu.ledger.types import receipt
from shudu.policy import clock
from shudu.policy.events import LEAVES, Event, upcast
from shudu.policy.models import Outbox
from shudu.runs.models import Run
from shudu.runs.worker import spread_news

from .conftest import Market


def test_a_buyer_cannot_confirm_a_guess_of_the_checks_evidence(kept: Market, db: None) -> None:
    run = Run.objects.get(pk=kept.ids["run"])
    assert any(check["evidence"] for check in run.checks)
    guess = hashlib.sha256(rfc8785.dumps(run.checks)).hexdigest()
    salt = Disclosure.objects.get(entry__event="run.closed", entry__subject=run.id).fields["checks_sha256"]["salt"]
    path = f"/runs/{run.id}/receipt"
    buyers, providers = (who.call("GET", path).content for who in (kept.buyer, kept.provider))
    for data in (buyers, providers):
        assert receipt.verify(data, ledger.verifier_key()).ok
    told = buyers.decode()
    assert guess not in told
    assert salt not in told
    assert json.loads(told)["disclosures"]["checks"]["value"] == [
        {"name": check["name"], "ok": check["ok"]} for check in run.checks
    ]
    # Whoever sees the counts anyway gets the digest and its salt, and can hold the operator to them.
    assert json.loads(providers)["disclosures"]["checks_sha256"] == {"salt": salt, "value": guess}
    assert b"evidence" not in buyers


# As release 0.1 committed it.
OLD = {
    "run": "",
    "kind": "compute",
    "party": "",
    "order": "",
    "purpose": "research",
    "inputs": [],
    "outputs": [],
    "checks_sha256": "0" * 64,
    "sandbox": {},
    "meters": {},
    "started": "2026-03-02T01:00:00.000000Z",
    "closed": "2026-03-02T01:00:05.000000Z",
    "by": "pty_x",
    "via": "worker",
}


def test_a_run_closed_by_an_older_release_still_has_a_good_receipt(kept: Market, db: None) -> None:
    run = Run.objects.create(kind="compute", party=kept.buyer.party, purpose="research", state=Run.State.CLOSED)
    fields = {**OLD, "run": run.id, "party": run.party}
    Outbox.objects.create(event=Event.RUN_CLOSED, version=1, subject=run.id, fields=fields, time=clock.now())
    while spread_news():
        pass
    assert not Outbox.objects.filter(subject=run.id, dispatched=False).exists()
    data = kept.buyer.call("GET", f"/runs/{run.id}/receipt").content
    verdict = receipt.verify(data, ledger.verifier_key())
    assert verdict.ok
    assert verdict.leaf is not None
    assert verdict.leaf.version == 1
    assert set(verdict.disclosed) == set(fields) - {"checks_sha256"}
    assert bytes(Entry.objects.get(subject=run.id).leaf).count(b"checks_sha256") == 1


def test_old_events_are_read_as_the_present_ones() -> None:
    own = {"by", "via"}
    assert set(upcast(Event.RUN_CLOSED, 1, OLD)) == set(LEAVES[Event.RUN_CLOSED].fields) | own
    assert upcast(Event.RUN_CLOSED, 1, OLD)["checks"] == []
    new = {**OLD, "checks": [{"name": "x", "ok": True}]}
    assert upcast(Event.RUN_CLOSED, 2, new) is new
    for version in (0, 3):
        with pytest.raises(ValueError, match="has no version"):
            upcast(Event.RUN_CLOSED, version, OLD)
