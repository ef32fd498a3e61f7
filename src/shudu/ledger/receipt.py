"""Receipts: an entry of the log with its proof, checked offline with nothing but the file and the log's verifier key.

A receipt is the JCS text (RFC 8785), in UTF-8, of

    {"disclosures": {name: {"salt": …, "value": …}}, "format": "shudu-receipt/1", "leaf": …, "proof": …}

`leaf` is the leaf's own text (leaf.py), so its bytes are this string's UTF-8; `proof` the C2SP tlog-proof (proof.py).
Leaving disclosures out is allowed: what is not disclosed stays hidden, and the rest still verifies. The file is
accepted in exactly one spelling, so that no byte of it can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shudu.policy.types import Invalid, Text

from . import leaf as leaves
from .merkle import leaf_hash, verify_inclusion
from .note import Checkpoint, VerifierKey
from .proof import Proof

FORMAT = "shudu-receipt/1"
MAX_BYTES = 2 << 20
_DEPTH = leaves.MAX_DEPTH + 3  # the receipt, its disclosures and one disclosure lie around a value


class Unreadable(Invalid):
    """Not a receipt, a key or a file that can be judged at all; says nothing about whether it is true."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, and what came out."""

    name: str
    ok: bool
    text: Text


@dataclass(frozen=True, slots=True)
class Verdict:
    """True when every check is. `leaf` and `disclosed` are what the receipt says; believe them only when `ok`."""

    checks: tuple[Check, ...]
    checkpoint: Checkpoint
    index: int
    leaf: leaves.Leaf | None
    disclosed: dict[str, Any]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def __bool__(self) -> bool:
        return self.ok


def build(leaf: bytes, disclosures: Mapping[str, Mapping[str, Any]], proof: str) -> dict[str, Any]:
    """The receipt of a leaf; `disclosures` may be any part of those the leaf was sealed with."""
    opened = {name: {"salt": one["salt"], "value": one["value"]} for name, one in disclosures.items()}
    return {"format": FORMAT, "leaf": leaf.decode(), "disclosures": opened, "proof": proof}


def encode(receipt: Mapping[str, Any]) -> bytes:
    """The bytes of the receipt's file."""
    return leaves.canonical(dict(receipt), depth=_DEPTH)


def verify(data: bytes, verifier_key: str, product: bytes | Path | None = None) -> Verdict:
    """Check a receipt's file against the log's verifier key and, if given, the product it is said to vouch for.

    Raises `Unreadable` for what is no receipt, key or file; whatever can be read gets a verdict, true or false.
    """
    key = _read_key(verifier_key)
    receipt = _read(data)
    proof, checkpoint = _read_proof(receipt["proof"])
    leaf_bytes = receipt["leaf"].encode()
    try:
        leaf = leaves.parse(leaf_bytes)
    except ValueError:
        leaf = None
    shown = receipt["disclosures"]
    wrong = [name for name in shown if leaf is None or not leaves.opens(leaf, name, shown[name])]
    included = verify_inclusion(leaf_hash(leaf_bytes), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    disclosed = {name: one["value"] for name, one in shown.items()}
    checks = [
        Check("format", True, Text("回执格式正确。", "The receipt's format is right.")),
        _check("leaf", leaf is not None),
        _check("commitments", not wrong),
        _check("inclusion", included),
        _check("signature", proof.checkpoint.signed_by(key)),
        _check("origin", checkpoint.origin == key.name),
    ]
    if product is not None:
        checks.append(_check_product(_digest(product), disclosed))
    return Verdict(tuple(checks), checkpoint, proof.index, leaf, disclosed)


def verify_by_any(data: bytes, keys: str, product: bytes | Path | None = None) -> Verdict:
    """The same by whichever of several verifier keys fits, one a line as `shudu ledger key` prints them; if none does,
    what the first says."""
    verdicts = [verify(data, key, product) for key in keys.split("\n") if key.strip()] or [verify(data, keys, product)]
    return next((verdict for verdict in verdicts if verdict), verdicts[0])


def _read(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise _unreadable("too_large", f"文件超过 {MAX_BYTES} 字节", f"The file has more than {MAX_BYTES} bytes")
    try:
        receipt = json.loads(data.decode())
        exact = leaves.canonical(receipt, depth=_DEPTH) == data
    except (ValueError, RecursionError, Invalid):
        raise _unreadable("not_json", "文件不是可用的 JSON", "The file is not usable JSON") from None
    if not exact:
        raise _unreadable("not_canonical", "文件不是回执的原始字节", "The file is not spelt as receipts are")
    if not isinstance(receipt, dict) or receipt.get("format") != FORMAT:
        raise _unreadable(
            "format", f"文件不是 {FORMAT} 格式的存证回执", f"The file is not a receipt in format {FORMAT}"
        )
    shown = receipt.get("disclosures")
    if (
        receipt.keys() != {"format", "leaf", "disclosures", "proof"}
        or not isinstance(receipt["leaf"], str)
        or not isinstance(receipt["proof"], str)
        or not isinstance(shown, dict)
        or not all(isinstance(one, dict) and one.keys() == {"salt", "value"} for one in shown.values())
        or not all(leaves.is_hash(one["salt"]) for one in shown.values())
    ):
        raise _unreadable(
            "shape", "回执缺少内容或内容类型不对", "The receipt lacks a part, or a part is of the wrong type"
        )
    return receipt


def _read_proof(text: str) -> tuple[Proof, Checkpoint]:
    try:
        proof = Proof.parse(text)
        return proof, Checkpoint.parse(proof.checkpoint.text)
    except ValueError:
        raise _unreadable("proof", "回执中的证明无法读取", "The receipt's proof cannot be read") from None


def _read_key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text.strip())
    except ValueError:
        raise Unreadable(
            "receipt.key",
            Text("验证公钥无法读取。", "The verifier key cannot be read."),
            Text("请使用“shudu ledger key”输出的那一行。", "Use the line that “shudu ledger key” prints."),
        ) from None


def _digest(product: bytes | Path) -> str:
    if isinstance(product, bytes):
        return hashlib.sha256(product).hexdigest()
    try:
        with product.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise Unreadable(
            "receipt.product",
            Text(f"文件“{product.name}”无法读取。", f"The file “{product.name}” cannot be read."),
            Text("请核对文件路径与权限。", "Check its path and permissions."),
        ) from None


def _check_product(digest: str, disclosed: Mapping[str, Any]) -> Check:
    outputs = disclosed.get("outputs")
    if not isinstance(outputs, list):
        text = Text(
            "回执没有披露交付结果，无法对应文件。",
            "The receipt does not disclose its outputs, so it vouches for no file.",
        )
        return Check("product", False, text)
    listed = [one.get("files") for one in outputs if isinstance(one, dict)]
    return _check("product", any(isinstance(files, dict) and digest in files.values() for files in listed))


def _unreadable(code: str, zh: str, en: str) -> Unreadable:
    remedy = Text(
        "请向出具方重新获取回执，勿编辑或重新排版。",
        "Get the receipt again from whoever issued it; do not edit or reformat it.",
    )
    return Unreadable(f"receipt.{code}", Text(f"{zh}。", f"{en}."), remedy)


def _check(name: str, ok: bool) -> Check:
    return Check(name, ok, _OUTCOMES[name][0 if ok else 1])


_OUTCOMES = {
    "leaf": (
        Text("存证叶子书写规范。", "The leaf is well formed."),
        Text("存证叶子不合规范。", "The leaf is not well formed."),
    ),
    "commitments": (
        Text("所披露的字段均与存证承诺一致。", "Every disclosed field matches its commitment."),
        Text("所披露的字段与存证承诺不一致。", "A disclosed field does not match its commitment."),
    ),
    "inclusion": (
        Text("该条目在存证账本之中。", "The entry is in the log."),
        Text("无法证明该条目在存证账本之中。", "The proof does not lead from the entry to the log's root."),
    ),
    "signature": (
        Text("检查点由该公钥对应的账本签署。", "The checkpoint is signed with the log's key."),
        Text("检查点没有该公钥的有效签名。", "The checkpoint has no valid signature by this key."),
    ),
    "origin": (
        Text("账本名称与公钥名称一致。", "The log's name is the key's name."),
        Text("账本名称与公钥名称不一致。", "The log's name is not the key's name."),
    ),
    "product": (
        Text("该文件即回执所载的交付结果。", "The file is an output this receipt names."),
        Text("该文件不是回执所载的交付结果。", "The file is not an output this receipt names."),
    ),
}
