"""Which mask a column of personal data usually takes: what the offer builder proposes."""

from __future__ import annotations

from collections.abc import Mapping

from shudu.lake.types import Mask

from .detectors import Kind

USUAL: Mapping[Kind, Mask] = {
    Kind.ADDRESS: Mask.ADDRESS,
    Kind.BANK_CARD: Mask.BANK_CARD,
    Kind.CITIZEN_ID: Mask.CITIZEN_ID,
    Kind.FINANCE: Mask.WHOLE,
    Kind.HEALTH: Mask.WHOLE,
    Kind.MOBILE: Mask.MOBILE,
    Kind.PERSON_NAME: Mask.NAME,
}
