"""Ids, time, events and decisions: the small words everything else is said in."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.policy import clock as clocks
from shudu.policy import ids
from shudu.policy.events import ACTOR_FIELDS, LEAVES, Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Decision, Refused, Text

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def decode(text: str) -> uuid.UUID:
    number = 0
    for digit in text.partition("_")[2]:
        number = number * 32 + ALPHABET.index(digit)
    return uuid.UUID(int=number)


def test_an_id_is_a_version_7_uuid_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    found = decode(ids.new("run"))
    after = time.time_ns() // 1_000_000
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert before <= found.int >> 80 <= after


@pytest.mark.parametrize(
    ("number", "digits"),
    [  # the valid vectors of the TypeID specification
        ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
        ("00000000-0000-0000-0000-000000000001", "00000000000000000000000001"),
        ("00000000-0000-0000-0000-00000000000a", "0000000000000000000000000a"),
        ("00000000-0000-0000-0000-000000000020", "00000000000000000000000010"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"),
        ("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q"),
    ],
)
def test_ids_are_spelt_as_typeid_spells_them(monkeypatch: pytest.MonkeyPatch, number: str, digits: str) -> None:
    monkeypatch.setattr(ids, "_number", lambda: uuid.UUID(number).int)
    assert ids.new("asset") == f"ast_{digits}"


def test_later_ids_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1_772_000_000_000_000_000, 1_772_000_000_000_000_000 + 200_000_000, 1_000_000))
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(moments))
    made = [ids.new("entry") for _ in range(200)]
    assert made == sorted(made)
    assert len(set(made)) == 200


def test_an_id_says_what_it_names() -> None:
    assert len(set(ids.PREFIXES.values())) == len(ids.PREFIXES)
    for noun in ids.PREFIXES:
        assert ids.noun_of(ids.new(noun)) == noun


@pytest.mark.parametrize(
    "text",
    [
        "",
        "run",
        "run_",
        "run_123",
        "xyz_01h455vb4pex5vsknk084sn02q",
        "run_01H455VB4PEX5VSKNK084SN02Q",
        "run_" + "u" * 26,
    ],
)
def test_what_is_no_id_of_ours_names_nothing(text: str) -> None:
    assert ids.noun_of(text) is None


@given(st.dates(date(1992, 1, 1), date(2200, 1, 1)))
def test_until_a_day_is_until_its_last_moment_in_shanghai(day: date) -> None:
    end = clocks.end_of_day(day)
    assert end.utcoffset() == timedelta(0)
    assert end.astimezone(clocks.SHANGHAI).date() == day
    next_moment = (end + timedelta(microseconds=1)).astimezone(clocks.SHANGHAI)
    assert (next_moment.date(), next_moment.hour, next_moment.minute) == (day + timedelta(days=1), 0, 0)


def test_a_moment_is_written_one_way() -> None:
    assert clocks.stamp(clocks.end_of_day(date(2026, 3, 1))) == "2026-03-01T15:59:59.999999Z"
    shanghai = datetime(2026, 3, 2, tzinfo=clocks.SHANGHAI)
    assert clocks.stamp(shanghai) == "2026-03-01T16:00:00.000000Z"


def test_every_event_says_what_it_records_and_never_who_somebody_is() -> None:
    assert set(LEAVES) == set(Event)
    for event, leaf in LEAVES.items():
        assert leaf.version >= 1, event
        assert len(set(leaf.fields)) == len(leaf.fields), event
        assert not set(ACTOR_FIELDS) & set(leaf.fields), event
        assert not re.search(r"name|phone|email|person|address|title|username", " ".join(leaf.fields)), event


def test_permissions_and_events_stand_in_order() -> None:
    assert [item.name for item in Permission] == sorted(item.name for item in Permission)
    assert [item.name for item in Event] == sorted(item.name for item in Event)


def test_all_of_several_decisions_puts_what_refused_first() -> None:
    yes = Decision.allow("a", Text("可以。", "Yes."))
    no = Decision.deny("b", Text("不可以。", "No."), Text("改一改。", "Change it."))
    both = Decision.every([yes, no])
    assert not both
    assert [reason.rule for reason in both.reasons] == ["b", "a"]
    assert Decision.every([yes, yes])
    assert str(Refused.by(both)) == "b: No."
    with pytest.raises(ValueError, match="cannot refuse"):
        Refused.by(yes)


@pytest.mark.parametrize("zone", [UTC, clocks.SHANGHAI, timezone(timedelta(hours=-8)), timezone(timedelta(hours=14))])
def test_a_moment_asked_about_is_one_every_zone_can_write(zone: tzinfo) -> None:
    ends = [clocks.asked(end.replace(tzinfo=zone)) for end in (datetime.min, datetime.max)]
    assert ends == [clocks.EARLIEST, clocks.FOREVER]
    for end in ends:
        for hours in (-14, 14):
            end.astimezone(timezone(timedelta(hours=hours)))
    noon = datetime(2027, 3, 1, 12, tzinfo=zone)
    assert (clocks.asked(noon), clocks.asked(noon).utcoffset()) == (noon, timedelta(0))
