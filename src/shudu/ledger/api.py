"""Checking receipts in the API. The log itself is served at /ledger."""

from __future__ import annotations

from typing import cast

from ninja import File, Router, UploadedFile
from pydantic import BaseModel

from shudu.policy.api import Call, Said, Upload, named

from . import queries, receipt

receipts = Router(tags=["receipts"])
log = Router(tags=["receipts"])


class LogState(BaseModel):
    """The log's verifier key and its latest checkpoint. Keep both elsewhere: they are what receipts are judged by."""

    key: str
    keys: list[str]
    checkpoint: str


class ReceiptCheck(BaseModel):
    """One thing that was checked, and what came out."""

    name: str
    ok: bool
    text: Said


class ReceiptVerdict(BaseModel):
    """True when every check is. Anyone can reach the same offline with the verifier key kept from elsewhere."""

    ok: bool
    entry: str | None
    checks: list[ReceiptCheck]


class ReceiptKey(BaseModel):
    """The log's verifier key to judge by; without one, each this installation ever had is tried."""

    key: str | None = None


@receipts.post("/verify", response=ReceiptVerdict, **named("校验回执", "Verify a receipt"))
def verify_receipt(
    request: Call, file: File[UploadedFile], product: File[UploadedFile | None] = None, fields: ReceiptKey | None = None
) -> ReceiptVerdict:
    """Part `file` is the receipt; part `product`, if sent, the file it is about. Changes nothing, needs no key."""
    with cast(Upload, file).path.open("rb") as opened:
        data = opened.read(receipt.MAX_BYTES + 1)
    about = cast(Upload, product).path if product else None
    keys = fields.key if fields and fields.key else "\n".join(queries.verifier_keys()) or queries.verifier_key()
    best = receipt.verify_by_any(data, keys, about)
    return ReceiptVerdict(
        ok=best.ok,
        entry=best.leaf.entry_id if best.leaf else None,
        checks=[ReceiptCheck(name=one.name, ok=one.ok, text=Said.of(one.text)) for one in best.checks],
    )


@log.get("", response=LogState, **named("存证账本的公钥与检查点", "The log's verifier key and checkpoint"))
def get_log(request: Call) -> LogState:
    """`keys` has those of earlier logs and earlier keys too, newest first."""
    return LogState(key=queries.verifier_key(), keys=queries.verifier_keys(), checkpoint=queries.checkpoint())
