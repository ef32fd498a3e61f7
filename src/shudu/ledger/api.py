"""Checking receipts in the API. The log itself is served at /ledger."""

from __future__ import annotations

from typing import cast

from ninja import File, Router, UploadedFile
from pydantic import BaseModel

from shudu.policy.api import Call, Said, Upload, named

from . import queries, receipt

receipts = Router(tags=["receipts"])


class Check(BaseModel):
    """One thing that was checked, and what came out."""

    name: str
    ok: bool
    text: Said


class Verdict(BaseModel):
    """True when every check is. Anyone can reach the same offline with the verifier key kept from elsewhere."""

    ok: bool
    entry: str | None
    checks: list[Check]


class Key(BaseModel):
    """The log's verifier key to judge by; without one, each this installation ever had is tried."""

    key: str | None = None


@receipts.post("/verify", response=Verdict, **named("校验回执", "Verify a receipt"))
def verify_receipt(
    request: Call, file: File[UploadedFile], product: File[UploadedFile | None] = None, fields: Key | None = None
) -> Verdict:
    """Part `file` is the receipt; part `product`, if sent, the file it is about. Changes nothing, needs no key."""
    data = cast(Upload, file).path.read_bytes()
    about = cast(Upload, product).path if product else None
    keys = [fields.key] if fields and fields.key else queries.verifier_keys()
    verdicts = [receipt.verify(data, key, about) for key in keys]
    best = next((one for one in verdicts if one.ok), verdicts[0])
    return Verdict(
        ok=best.ok,
        entry=best.leaf.entry_id if best.leaf else None,
        checks=[Check(name=one.name, ok=one.ok, text=Said.of(one.text)) for one in best.checks],
    )
