"""Rules of a test's own: what the rooms registered is put aside and comes back."""

from __future__ import annotations

from collections import defaultdict

import pytest

from shudu.policy import outbox, rules


@pytest.fixture
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_grants", defaultdict(list))
    monkeypatch.setattr(rules, "_vetoes", defaultdict(list))


@pytest.fixture
def no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_handlers", defaultdict(list))
