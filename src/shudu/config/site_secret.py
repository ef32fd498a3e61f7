"""The key that signs sessions: made once, kept beside the home, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def secret_key(keys: Path) -> str:
    """The site's secret, 384 random bits in `keys/site.secret`, made on first use.

    Processes that start together must agree: each writes a file of its own and links it into place, and only one link
    succeeds. A file that others may read is refused.
    """
    place = keys / "site.secret"
    if not place.exists():
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = keys / f".site.secret.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(mine, place)
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    if place.stat().st_mode & 0o077:
        raise SystemExit(f"{place} 可被他人读取，请执行 chmod 600 / is readable by others: chmod 600 it")
    return place.read_text("ascii")
