"""Headers as senders write them: what every batch says, and what each channel says besides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shudu.collect import received
from shudu.collect.header import BatchHeader

CHANNELS: dict[str, dict[str, Any]] = {
    "administrative": {
        "channel": "administrative",
        "duty": "市场主体登记",
        "matter": "企业设立登记",
        "department": "市市场监管局",
        "obtainable_by_sharing": False,
        "form_version": "2026-1",
        "frequency": "4",
    },
    "web": {
        "channel": "web",
        "site": "stats.example.cn",
        "url": "https://stats.example.cn/2026/02",
        "robots": "allowed",
        "site_terms": "silent",
        "personal_information": False,
        "requests_per_minute": 6,
        "crawler": "crawler-3",
        "fetched_at": "2026-03-01T08:00:00Z",
        "content_sha256": "0" * 64,
    },
    "purchase": {
        "channel": "purchase",
        "procurement": "CG-2026-017",
        "contract": "HT-2026-103",
        "may_share": True,
        "may_open": False,
        "may_derive": True,
        "price_fen": 12_000_000,
        "licensed_until": "2099-12-31",
        "supplier": "91510100MA000020XN",
    },
    "donation": {
        "channel": "donation",
        "donor": "锦江流域观鸟会",
        "agreement": "JZ-2026-4",
        "rights_warranted": True,
        "conditions": "仅用于研究",
        "revocation": "提前三十日书面通知",
    },
    "sensor": {
        "channel": "sensor",
        "device": "AQ-0031",
        "longitude": 104.06,
        "latitude": 30.67,
        "calibrated": "2026-01-05",
        "calibrated_until": "2027-01-05",
        "samples_per_hour": 12,
        "unit": "µg/m³",
        "accuracy": "±5 %",
        "time_sync": "ntp",
        "privacy_zone": False,
        "video_or_face": False,
    },
}


def fields(file: Path, code: str, party: str, *, channel: str = "administrative", **changed: Any) -> dict[str, Any]:
    """A right header of a CSV file with one header line; `collection` in `changed` is laid over the channel's."""
    collection = {**CHANNELS[channel], **changed.pop("collection", {})}
    size, _, sm3 = received.digests(file, sm3=True)
    return {
        "batch_id": "2026-03-02-1",
        "source_id": "counter-7",
        "catalog_code": code,
        "schema_version": 1,
        "record_count": file.read_bytes().count(b"\n") - 1,
        "bytes": size,
        "sm3": sm3,
        "period_from": "2026-02-01",
        "period_to": "2026-02-28",
        "collected_at": "2026-03-01T08:00:00Z",
        "submitted_by": party,
        "legal_basis": "《成都市公共数据管理应用规定》",
        "class_level": "L2",
        "collection": collection,
        **changed,
    }


def header(file: Path, code: str, party: str, **changed: Any) -> BatchHeader:
    return BatchHeader.model_validate(fields(file, code, party, **changed))
