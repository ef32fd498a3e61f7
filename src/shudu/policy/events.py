"""Every event and the fields its ledger leaf commits to: the one list of what is recorded.

Fields hold ids, digests, codes, counts and times — never personal data, never a value of anyone's table.
`by` (the acting party) and `via` (the door) are added to each. A changed field list is a new version here,
and `ledger` keeps reading the old ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Event(StrEnum):
    AGREEMENT_CONCLUDED = "agreement.concluded"
    AGREEMENT_REVOKED = "agreement.revoked"
    ASSET_PROMISED = "asset.promised"
    ASSET_PUBLISHED = "asset.published"
    BACKUP_TAKEN = "backup.taken"
    BATCH_ACCEPTED = "batch.accepted"
    BATCH_REFUSED = "batch.refused"
    DATA_KEYS_ROTATED = "data_keys.rotated"
    FEED_CLOSED = "feed.closed"
    FEED_OPENED = "feed.opened"
    FIELDS_FORGOTTEN = "fields.forgotten"
    FUNDS_DEPOSITED = "funds.deposited"
    INBOX_CLOSED = "inbox.closed"
    INBOX_OPENED = "inbox.opened"
    KEY_REGISTERED = "key.registered"
    KEY_REVOKED = "key.revoked"
    LEVEL_REVIEWED = "asset.level_reviewed"
    LOG_KEY_ROTATED = "log.key_rotated"
    LOG_OPENED = "log.opened"
    MEMBER_ADDED = "member.added"
    OFFER_ACCEPTED = "offer.accepted"
    OFFER_DRAFTED = "offer.drafted"
    OFFER_WITHDRAWN = "offer.withdrawn"
    ORDER_PLACED = "order.placed"
    ORDER_RELEASED = "order.released"
    ORDER_SETTLED = "order.settled"
    PARTY_CREATED = "party.created"
    PROJECTION_REBUILT = "projection.rebuilt"
    QUALITY_ASSESSED = "quality.assessed"
    QUALITY_DECLARED = "quality.declared"
    RELEASE_DECIDED = "release.decided"
    RELEASE_RESTRICTED = "release.restricted"
    ROWS_CORRECTED = "rows.corrected"
    RUN_CLOSED = "run.closed"
    RUN_FAILED = "run.failed"
    RUN_HELD = "run.held"
    RUN_RESTARTED = "run.restarted"
    RUN_STARTED = "run.started"
    SOURCE_ADDED = "source.added"
    SOURCE_CLOSED = "source.closed"
    TOKEN_ISSUED = "token.issued"
    TOKEN_REVOKED = "token.revoked"
    UPLOAD_RECEIVED = "upload.received"
    VERSION_ERASED = "version.erased"
    VERSION_PUBLISHED = "version.published"
    VERSION_WITHDRAWN = "version.withdrawn"


@dataclass(frozen=True, slots=True)
class Leaf:
    """What an event's ledger leaf holds: a version and the names of its committed fields."""

    version: int
    fields: tuple[str, ...]


ACTOR_FIELDS = ("by", "via")

LEAVES: dict[Event, Leaf] = {
    Event.AGREEMENT_CONCLUDED: Leaf(
        1, ("agreement", "offer", "line", "assigner", "assignee", "asset", "version", "terms_sha256", "until", "runs")
    ),
    Event.AGREEMENT_REVOKED: Leaf(1, ("agreement", "reason")),
    Event.ASSET_PROMISED: Leaf(1, ("asset", "update_cycle", "before")),
    Event.ASSET_PUBLISHED: Leaf(
        1, ("asset", "owner", "kind", "level", "code", "version", "files", "source_sha256", "schema_sha256", "rows")
    ),
    Event.BACKUP_TAKEN: Leaf(1, ("manifest_sha256", "files", "bytes")),
    Event.DATA_KEYS_ROTATED: Leaf(1, ("key", "wrapped")),
    Event.BATCH_ACCEPTED: Leaf(
        1,
        (
            "batch",
            "asset",
            "version",
            "channel",
            "mode",
            "header_sha256",
            "source_sha256",
            "source_sm3",
            "bytes",
            "records",
        ),
    ),
    Event.BATCH_REFUSED: Leaf(1, ("batch", "channel", "header_sha256", "code")),
    Event.FEED_CLOSED: Leaf(1, ("feed", "asset")),
    Event.FEED_OPENED: Leaf(1, ("feed", "owner", "source", "rule_sha256")),
    Event.FIELDS_FORGOTTEN: Leaf(1, ("subject", "fields", "entries")),
    Event.FUNDS_DEPOSITED: Leaf(1, ("party", "unit", "amount")),
    Event.INBOX_CLOSED: Leaf(1, ("owner",)),
    Event.INBOX_OPENED: Leaf(1, ("owner",)),
    Event.KEY_REGISTERED: Leaf(1, ("key", "party", "verifier", "until")),
    Event.KEY_REVOKED: Leaf(1, ("key", "party")),
    Event.LEVEL_REVIEWED: Leaf(1, ("asset", "level", "opinion_sha256")),
    Event.LOG_KEY_ROTATED: Leaf(1, ("origin", "key", "replaces")),
    Event.LOG_OPENED: Leaf(1, ("base_iri", "origin", "software", "pins")),
    Event.MEMBER_ADDED: Leaf(1, ("membership", "party", "role")),
    Event.OFFER_ACCEPTED: Leaf(1, ("offer", "party", "lines", "live")),
    Event.OFFER_DRAFTED: Leaf(2, ("offer", "lines", "terms_sha256", "price_fen", "split", "anonymity")),
    Event.OFFER_WITHDRAWN: Leaf(1, ("offer", "party")),
    Event.ORDER_PLACED: Leaf(1, ("order", "offer", "buyer", "purpose", "agreements", "price_fen")),
    Event.ORDER_RELEASED: Leaf(1, ("order", "run", "amount_fen")),
    Event.ORDER_SETTLED: Leaf(1, ("order", "run", "amount_fen", "split_fen")),
    Event.PARTY_CREATED: Leaf(1, ("party", "kind", "code", "roles")),
    Event.PROJECTION_REBUILT: Leaf(1, ("tables",)),
    Event.QUALITY_ASSESSED: Leaf(1, ("asset", "rules", "version", "counts_sha256")),
    Event.QUALITY_DECLARED: Leaf(1, ("asset", "rules", "rules_sha256", "version", "counts_sha256")),
    Event.RELEASE_DECIDED: Leaf(1, ("run", "case", "decision", "held_for", "files", "opinion_sha256")),
    Event.RELEASE_RESTRICTED: Leaf(1, ("party", "rules_sha256")),
    Event.ROWS_CORRECTED: Leaf(1, ("asset", "version", "case", "added", "left_out", "open", "into")),
    Event.RUN_CLOSED: Leaf(
        2,
        (
            "run",
            "kind",
            "party",
            "order",
            "purpose",
            "inputs",  # [{"version", "agreement", "files": [sha256 …]}]
            "outputs",  # [{"version", "files": {name: sha256}}]
            "checks",  # [{"name", "ok"}]: what everybody who may see the run may know
            "checks_sha256",  # of the checks with their counts: disclosed only to who may see those (`CONFIDENTIAL`)
            "decision",  # {} or {"case", "by", "held_for", "opinion_sha256", "time"}: held, and let go by whom
            "sandbox",
            "meters",
            "started",
            "closed",
        ),
    ),
    Event.RUN_FAILED: Leaf(1, ("run", "kind", "party", "order", "code")),
    Event.RUN_HELD: Leaf(1, ("run", "case", "owner", "held_for")),
    Event.RUN_RESTARTED: Leaf(1, ("run", "failed", "order", "party", "code")),
    Event.RUN_STARTED: Leaf(1, ("run", "kind", "party", "order", "purpose", "inputs")),
    Event.SOURCE_ADDED: Leaf(1, ("source", "owner", "kind")),
    Event.SOURCE_CLOSED: Leaf(1, ("source", "owner")),
    Event.TOKEN_ISSUED: Leaf(1, ("token", "party", "scopes", "expires")),
    Event.TOKEN_REVOKED: Leaf(1, ("token", "party")),
    Event.UPLOAD_RECEIVED: Leaf(1, ("upload", "bytes", "sha256")),
    Event.VERSION_ERASED: Leaf(1, ("asset", "version", "files")),
    Event.VERSION_PUBLISHED: Leaf(
        1, ("asset", "version", "number", "mode", "base", "files", "source_sha256", "schema_sha256", "rows")
    ),
    Event.VERSION_WITHDRAWN: Leaf(1, ("asset", "version", "basis")),
}

# Fields not meant for everybody who may see what an entry is about, and digests of things small enough to be guessed.
# Their salts go only to who may see what they stand for.
CONFIDENTIAL: dict[Event, frozenset[str]] = {
    Event.OFFER_DRAFTED: frozenset({"anonymity"}),
    Event.RUN_CLOSED: frozenset({"checks_sha256"}),
}

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


def _run_closed_2(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 1 said of the checks only their digest; which rules they were, nobody can tell; none was held."""
    return {**fields, "checks": [], "decision": {}}


def _offer_drafted_2(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not say what was measured of rows to be handed over."""
    return {**fields, "anonymity": {}}


UPCASTERS: dict[tuple[Event, int], Upcaster] = {
    (Event.OFFER_DRAFTED, 1): _offer_drafted_2,
    (Event.RUN_CLOSED, 1): _run_closed_2,
}


def upcast(event: Event, version: int, fields: dict[str, Any]) -> dict[str, Any]:
    """An event's fields as its present version has them. ValueError for a version nobody can bring up to it.

    For who reads old rows only: an entry's leaf, its salts and its receipts stay as they were committed.
    """
    while version != LEAVES[event].version:
        if (event, version) not in UPCASTERS:
            raise ValueError(f"{event} has no version {version}")
        fields, version = UPCASTERS[event, version](fields), version + 1
    return fields
