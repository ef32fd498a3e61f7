"""What the log holds of an event: its kind and time in clear, and one salted commitment per field.

A leaf is the JCS text (RFC 8785), in UTF-8, of

    {"entry_id": "ent_…", "fields": {name: commitment, …}, "time": "2026-03-01T15:59:59.999999Z",
     "type": "run.closed", "v": 1}

`v` is the version of the event's field list (policy/events.py), `time` when the action committed, in UTC with
microseconds. A commitment is 64 lower-case hex digits of

    SHA-256( n(tag) ‖ tag ‖ n(name) ‖ name ‖ n(salt) ‖ salt ‖ n(value) ‖ value )

where n(x) is the length of x in bytes as a 4-byte big-endian number, tag is the ASCII text `shudu-commitment/1`, name
the field's name in UTF-8, salt 32 random bytes of that field's own, and value the JCS text of the field's value.
A *disclosure* of a field is {"salt": 64 hex digits, "value": …}. Without its salt a commitment says nothing: the salt
hides even a value that could be guessed. The leaf's bytes are the entry that RFC 6962 hashes.

Values are null, booleans, integers within ±(2^53 - 1), text, lists and maps of these. Fractions are refused, because
two programs may spell one differently; amounts are in 分, shares in basis points.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import rfc8785

from shudu.policy.types import Invalid, Text

from .tiles import MAX_ENTRY

TAG = b"shudu-commitment/1"
SALT_BYTES = 32
MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 24
MAX_VALUES = 1 << 20  # bytes of all values of one entry, so that a receipt stays a small file

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf, read. `fields` maps names to commitments in hex."""

    version: int
    event: str
    time: str
    entry_id: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A leaf's bytes with everything needed to open it again."""

    leaf: bytes
    disclosures: dict[str, dict[str, Any]]


def canonical(value: Any, *, where: str = "", depth: int = MAX_DEPTH) -> bytes:
    """The JCS text of `value`; `Invalid` when it holds what cannot be written in one way only."""
    if type(value) is str and value.isascii():  # what most values are
        return _quoted(value).encode()
    if _refuse(value, where, depth):
        return rfc8785.dumps(value)
    return _write(value).encode()


# JCS without fractions is what this encoder writes, ten times faster than the reference, except for the order of keys:
# JCS compares UTF-16 units and Python code points, which differ from U+E000 on.
_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode
_quoted = json.encoder.encode_basestring  # what it writes for a text


def _refuse(value: Any, where: str, depth: int) -> bool:
    """Raise `Invalid` unless `value` has one spelling; says whether its keys need UTF-16's order."""
    kind = type(value)
    if kind is str or isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise _invalid(where, "含有不成对的代理字符", "holds half of a surrogate pair")
    elif value is None or kind is bool:
        return False
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise _invalid(where, "整数超出 ±(2^53-1)", "is an integer beyond ±(2^53-1)")
    elif isinstance(value, float):
        raise _invalid(
            where, "是小数；金额请用分，比例请用基点", "is a fraction; money is in fen, shares in basis points"
        )
    elif isinstance(value, (list, tuple, dict)):
        if depth == 0:
            raise _invalid(where, "嵌套过深", "is nested too deeply")
        if not isinstance(value, dict):
            within = [_refuse(item, where, depth - 1) for item in value]
            return any(within)
        if not all(isinstance(key, str) for key in value):
            raise _invalid(where, "的键不是文本", "has a key that is not text")
        keys = "".join(value)
        _refuse(keys, where, depth)
        within = [_refuse(item, where, depth - 1) for item in value.values()]
        return any(within) or (not keys.isascii() and max(keys) >= "\ue000")
    else:
        raise _invalid(where, "不是 JSON 值", "is not a JSON value")
    return False


def _invalid(field: str, zh: str, en: str) -> Invalid:
    return Invalid(
        "ledger.value", Text(f"存证字段“{field}”{zh}。", f"Ledger field “{field}” {en}."), where={"field": field}
    )


def commitment(name: str, salt: bytes, value: bytes) -> str:
    """The commitment to a field, in hex; `value` is its JCS text and `salt` has `SALT_BYTES`."""
    return sha256(_head(name) + salt + len(value).to_bytes(4, "big") + value).hexdigest()


@lru_cache(maxsize=1_024)
def _head(name: str) -> bytes:
    """What a commitment to a field of this name begins with, up to its salt."""
    return _prefixed(TAG) + _prefixed(name.encode()) + SALT_BYTES.to_bytes(4, "big")


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


@lru_cache(maxsize=1_024)
def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    """Field names in the order they are written in; `Invalid` when one is not a field name."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise _invalid(name, "名称不合规", "is not a field name")
    return tuple(sorted(names))


def seal(*, version: int, event: str, time: str, entry_id: str, values: Mapping[str, Any]) -> Sealed:
    """Draw salts, commit to every value and write the leaf; `Invalid` when a value cannot be committed to."""
    randomness = os.urandom(SALT_BYTES * len(values))
    fields, disclosures, total = [], {}, 0
    for number, name in enumerate(_sorted(tuple(values))):
        value = values[name]
        salt = randomness[number * SALT_BYTES : (number + 1) * SALT_BYTES]
        text = canonical(value, where=name)
        total += len(text)
        # Names and commitments are ASCII without anything to escape, and the names are in order.
        fields.append(f'"{name}":"{commitment(name, salt, text)}"')
        disclosures[name] = {"salt": salt.hex(), "value": value}
    _refuse([version, event, time, entry_id], "", MAX_DEPTH)
    entry, when, kind = _quoted(entry_id), _quoted(time), _quoted(event)
    leaf = (
        f'{{"entry_id":{entry},"fields":{{{",".join(fields)}}},"time":{when},"type":{kind},"v":{version:d}}}'.encode()
    )
    if len(leaf) > MAX_ENTRY or total > MAX_VALUES:
        raise Invalid(
            "ledger.too_large",
            Text(
                f"一条存证的叶子不得超过 {MAX_ENTRY} 字节，字段值合计不得超过 {MAX_VALUES} 字节。",
                f"An entry's leaf has at most {MAX_ENTRY} bytes, and its values {MAX_VALUES} bytes together.",
            ),
            where={"leaf_bytes": len(leaf), "value_bytes": total},
        )
    return Sealed(leaf, disclosures)


def parse(data: bytes) -> Leaf:
    """Read a leaf; ValueError unless it is written exactly as `seal` writes."""
    try:
        value = json.loads(data.decode())
        if len(data) > MAX_ENTRY or canonical(value) != data:
            raise ValueError("not canonical")
    except (Invalid, RecursionError) as error:
        raise ValueError("not a leaf") from error
    if not isinstance(value, dict) or value.keys() != {"v", "type", "time", "entry_id", "fields"}:
        raise ValueError("a leaf has v, type, time, entry_id and fields")
    version, fields = value["v"], value["fields"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("a leaf's v is a number from 1")
    if not all(isinstance(value[name], str) and value[name] for name in ("type", "time", "entry_id")):
        raise ValueError("a leaf's type, time and entry_id are text")
    if not _TIME.fullmatch(value["time"]):
        raise ValueError("a leaf's time is RFC 3339 in UTC with microseconds")
    if not isinstance(fields, dict) or not all(map(_NAME.fullmatch, fields)) or not all(map(is_hash, fields.values())):
        raise ValueError("a leaf's fields map names to commitments")
    return Leaf(version, value["type"], value["time"], value["entry_id"], fields)


def is_hash(value: Any) -> bool:
    """Is this 32 bytes written as lower-case hex?"""
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def opens(leaf: Leaf, name: str, disclosure: Any) -> bool:
    """Is this the disclosure {"salt", "value"} behind the leaf's commitment to `name`?"""
    if not isinstance(disclosure, dict) or not is_hash(disclosure.get("salt")) or "value" not in disclosure:
        return False
    try:
        text = canonical(disclosure["value"], where=name)
    except Invalid:
        return False
    return leaf.fields.get(name) == commitment(name, bytes.fromhex(disclosure["salt"]), text)
