"""Leaves commit to every field, hide every value, and are written in one way only."""

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shudu.ledger import leaf
from shudu.ledger.leaf import MAX_INTEGER, canonical, commitment, opens, parse, seal
from shudu.policy.types import Invalid

ID = "ent_01h2xcejqtf2nbrexx3vqjhp41"
TIME = "2026-03-01T15:59:59.999999Z"

numbers = st.integers(-MAX_INTEGER, MAX_INTEGER)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)


def sealed(**values: Any) -> leaf.Sealed:
    return seal(version=1, event="run.closed", time=TIME, entry_id=ID, values=values)


@given(values)
def test_canonical_is_the_reference_jcs(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_keys_are_in_the_order_of_utf_16() -> None:
    assert canonical({"\ufb33": 1, "\U00020bb7": 2, "a": 3}) == '{"a":3,"𠮷":2,"\ufb33":1}'.encode()
    assert canonical([{"x": {"\ue000": 1, "𠮷": 2}}]) == '[{"x":{"𠮷":2,"\ue000":1}}]'.encode()


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        0.1,
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        10**400,
        b"x",
        {1: 2},
        {"a": {None: 1}},
        {"a": [1.5]},
        "\ud800",
        {"\udfff": 1},
        {1, 2},
        object(),
        [[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]],
    ],
)
def test_what_has_no_single_spelling_is_refused(value: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        sealed(amount=value)
    assert refusal.value.code == "ledger.value"
    assert refusal.value.where == {"field": "amount"}
    assert "amount" in refusal.value.message.zh


def test_the_format_as_the_docstring_tells_it() -> None:
    """Recomputed here from nothing but hashlib and json, as a third party would."""
    made = sealed(run="run_1", rows=7)
    text = json.loads(made.leaf)
    assert made.leaf.decode() == json.dumps(text, sort_keys=True, separators=(",", ":"))
    assert (text["v"], text["type"], text["time"], text["entry_id"]) == (1, "run.closed", TIME, ID)
    for name, value in (("run", b'"run_1"'), ("rows", b"7")):
        digest = hashlib.sha256()
        for part in (b"shudu-commitment/1", name.encode(), bytes.fromhex(made.disclosures[name]["salt"]), value):
            digest.update(len(part).to_bytes(4, "big") + part)
        assert text["fields"][name] == digest.hexdigest()


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), values, max_size=6))
def test_a_leaf_opens_with_its_disclosures_and_no_others(fields: dict[str, Any]) -> None:
    made = sealed(**fields)
    read = parse(made.leaf)
    assert read == leaf.Leaf(1, "run.closed", TIME, ID, read.fields)
    assert read.fields.keys() == fields.keys()
    for name, one in made.disclosures.items():
        assert opens(read, name, json.loads(json.dumps(one)))
        assert not opens(read, name, {**one, "salt": hashlib.sha256(one["salt"].encode()).hexdigest()})
        assert not opens(read, name, {**one, "value": [one["value"]]})
        assert not opens(read, name + "_", one)


def test_commitments_bind_name_and_border() -> None:
    salt = b"s" * 32
    assert commitment("ab", salt, b'"c"') != commitment("a", salt, b'b"c"')
    assert len({commitment(name, salt, b"1") for name in ("a", "b", "aa")}) == 3


def test_the_same_value_never_looks_the_same() -> None:
    """Hiding: without salts, leaves of equal values cannot be told from leaves of different ones."""
    seen = set[str]()
    for _ in range(200):
        seen.update(parse(sealed(code="510100", other="510100").leaf).fields.values())
    assert len(seen) == 400
    assert b"510100" not in sealed(code="510100").leaf


def test_one_and_true_and_text_are_different_values() -> None:
    made = sealed(x=1)
    for other in (True, "1", None, [1], {"": 1}):
        assert not opens(parse(made.leaf), "x", {"salt": made.disclosures["x"]["salt"], "value": other})


@pytest.mark.parametrize(
    "disclosure",
    [None, [], "x", {}, {"salt": "00" * 32}, {"salt": "zz" * 32, "value": 1}, {"salt": 5, "value": 1}, {"value": 1}],
)
def test_a_broken_disclosure_opens_nothing(disclosure: Any) -> None:
    assert not opens(parse(sealed(x=1).leaf), "x", disclosure)


def test_a_leaf_has_a_limit() -> None:
    many = {f"f{number}": 1 for number in range(900)}
    with pytest.raises(Invalid, match="65535"):
        sealed(**many)
    with pytest.raises(Invalid, match="1048576"):
        sealed(text="x" * (1 << 20))
    assert len(sealed(text="x" * 1_000_000).leaf) < 300


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "名", "a" * 65, "a\n"])
def test_field_names_are_plain(name: str) -> None:
    with pytest.raises(Invalid):
        seal(version=1, event="run.closed", time=TIME, entry_id=ID, values={name: 1})


GOOD = json.loads(sealed(x=1).leaf)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 0},
        {"v": True},
        {"v": "1"},
        {"type": ""},
        {"type": 1},
        {"time": "2026-03-01"},
        {"time": 5},
        {"entry_id": None},
        {"fields": []},
        {"fields": {"x": "AB" * 32}},
        {"fields": {"x": "ab"}},
        {"fields": {"X": "ab" * 32}},
        {"more": 1},
    ],
)
def test_what_is_no_leaf_is_refused(change: dict[str, Any]) -> None:
    assert parse(canonical(GOOD)).version == 1
    with pytest.raises(ValueError, match="leaf"):
        parse(canonical({**GOOD, **change}))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"\xff", canonical(GOOD) + b"\n", json.dumps(GOOD).encode(), b"[" * 60_000]
)
def test_other_spellings_of_a_leaf_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(data)
