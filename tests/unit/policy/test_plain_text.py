"""Text at the border: what is refused, what survives, in one place for every field."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shudu.catalog.types import CoreFields, PublishModel, PublishTable
from shudu.identity.types import CreateParty
from shudu.policy import json_text
from shudu.policy.plain_text import clean, clean_lines
from shudu.policy.types import Invalid

REFUSED = [
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\U000e0041",
    "\ue000",
    "\U000f0000",
    "\u0378",
    "\x00",
    "\x1b",
    "\u2028",
    "\ud800",
    "\U0002ffff",
    "\u00ad",
]
SURVIVES = ["𠮷野家", "\U00031350", "e\u0301", "葛\U000e0100", "한글", "ไทย", "“引号”", "A·B（成都）", "\u0939\u093f"]


@pytest.mark.parametrize("sign", REFUSED, ids=lambda sign: f"U+{ord(sign):04X}")
def test_what_is_not_seen_is_refused_in_words_everywhere(sign: str) -> None:
    text = f"甲{sign}乙"
    with pytest.raises(ValueError, match=f"U\\+{ord(sign):04X}"):
        clean(text)
    with pytest.raises(Invalid):
        CreateParty(name=text)
    for make in (
        lambda: PublishTable(source="x", title=text),
        lambda: PublishTable(source="x", title="甲", title_en=text),
        lambda: PublishModel(source="x", title=text, inputs=("a",)),
        lambda: CoreFields(abstract={"zh": text}),
        lambda: CoreFields(class_path=text),
        lambda: CoreFields(share_type="2", share_condition=text),
        lambda: CoreFields(open_condition=text),
        lambda: CoreFields(related_codes=(text,)),
    ):
        with pytest.raises(ValidationError):
            make()


@pytest.mark.parametrize("text", SURVIVES)
def test_what_is_a_name_survives(text: str) -> None:
    kept = clean(f" {text}\u3000")
    assert kept == unicodedata.normalize("NFC", text)
    assert CreateParty(name=text).name == kept
    assert PublishTable(source="x", title=text).title == kept


@given(st.text(max_size=60))
def test_what_is_kept_stays_as_it_is(text: str) -> None:
    for way in (clean, clean_lines):
        try:
            kept = way(text)
        except ValueError:
            continue
        else:
            assert way(kept) == kept
            assert unicodedata.is_normalized("NFC", kept)
            assert not any(unicodedata.category(sign) in ("Cf", "Co", "Cs") for sign in kept)


def test_lines_are_for_opinions_only() -> None:
    assert clean_lines("一\n二\t三") == "一\n二\t三"
    with pytest.raises(ValueError, match="U\\+000A"):
        clean("一\n二")


@pytest.mark.parametrize(
    "data",
    [b"[" * 33 + b"]" * 33, b"[" * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40, b'{"a": 1, "a": 2}', b"NaN", b"\xff",
     b'"\\ud800"', b'"\\u0000"', b"{"],
)  # fmt: skip
def test_json_that_cannot_be_kept_is_no_json(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        json_text.read(data)


def test_json_as_deep_as_may_be() -> None:
    assert json_text.read(b"[" * 32 + b"]" * 32)
