"""Waiting for one's turn, where the database lets writers go side by side."""

from __future__ import annotations

import hashlib

from django.db import connection


def alone(what: str) -> None:
    """Until this transaction ends, no other passes here for the same `what`.

    PostgreSQL: an advisory lock, known by 64 bits of the name's digest. SQLite: nothing, IMMEDIATE has seen to it.
    """
    if connection.vendor == "postgresql":
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
