"""Where rows are kept: the home's SQLite, or the PostgreSQL that one option names."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("postgresql", "postgres")
# What a URL's query may say besides; anything else libpq knows comes from its own variables and files.
KNOWN = frozenset({"connect_timeout", "passfile", "sslcert", "sslkey", "sslmode", "sslrootcert"})


def database(url: str, home: Path) -> dict[str, Any]:
    """Django's settings of the database. ValueError for a URL that names none; it never repeats the URL."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": home / "shudu.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # FULL: a WAL at NORMAL forgets acknowledged commits in a power cut. Secure delete: what is erased is
                # overwritten in the file, too; SQLite as built by Debian does that by itself, others do not.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                " PRAGMA secure_delete=ON;",
            },
            # A file here too: tests start threads and processes that must see the same rows.
            "TEST": {"NAME": home / "test.sqlite3"},
        }
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    name = unquote(parts.path.removeprefix("/"))
    # A socket's folder cannot stand where a host does, so libpq takes it as `?host=`.
    host = query.pop("host", "") or unquote(parts.hostname or "")
    if parts.scheme not in SCHEMES or not name or "/" in name or parts.fragment or set(query) - KNOWN:
        raise ValueError("not a PostgreSQL URL")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        # An acknowledged commit lies on disk, whatever the server does by default.
        "OPTIONS": {**query, "options": "-c synchronous_commit=on -c timezone=UTC"},
    }
