"""One sign-in for each kind of person, its password made up here, once, and kept beside the keys for the operator."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from shudu.identity import actions as identity_actions
from shudu.identity import queries as identity
from shudu.identity.types import MemberRole
from shudu.policy.types import Actor


def issue(operator: Actor, people: dict[str, Actor], keys: Path) -> dict[str, str]:
    """Username → password of everybody, those of an earlier load included."""
    kept = keys / "demonstration-sign-ins.json"
    known: dict[str, str] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    missing = [name for name in people if name not in known]
    if missing:
        # Kept before they are set: a kill in between leaves a note of a password that the next load sets.
        known |= {name: secrets.token_urlsafe(12) for name in missing}
        _keep(kept, known)
    for name, party in people.items():
        if not any(row.person.username == name for row in identity.members(party.party)):
            identity_actions.add_member(operator, party.party, name, MemberRole.ADMIN, password=SecretStr(known[name]))
    return known


def _keep(kept: Path, known: dict[str, str]) -> None:
    fresh = kept.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(known, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(kept)
