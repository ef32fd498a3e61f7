"""What a backup says of itself: a C2SP signed note whose text is `shudu-backup/1` and one line of JCS (RFC 8785).

Its first line is no log's origin, so the log's key can sign it without signing a checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

FORMAT = "shudu-backup/1"
ROWS = "shudu.sqlite3"
OPTIONS = "shudu.toml"
RULES = "release_policy.toml"  # what the house and owners made stricter: a restored house is not laxer
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
_PATH = re.compile(rf"{re.escape(ROWS)}|{re.escape(OPTIONS)}|{re.escape(RULES)}|lake(/{_PART}){{1,9}}")


def is_path(path: str) -> bool:
    """May a backup hold a file of this path, relative to the home? None leads out of it."""
    return bool(_PATH.fullmatch(path))


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the backup: its size and the SHA-256 (hex) of its bytes."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `files` are by path relative to the home; `damaged` those that were not what their rows say
    when they were copied; `checkpoint` is the log's last one when it was written."""

    created: str
    software: str
    checkpoint: str
    damaged: tuple[str, ...]
    files: Mapping[str, Kept]

    def text(self) -> str:
        """The text to sign."""
        told = {**asdict(self), "damaged": list(self.damaged), "files": {p: asdict(k) for p, k in self.files.items()}}
        return f"{FORMAT}\n{rfc8785.dumps(told).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Read a manifest's text; ValueError when it is none, or names a file that could leave the home."""
        head, _, line = text.partition("\n")
        if head != FORMAT or not line.endswith("\n"):
            raise ValueError("not a manifest")
        try:
            told: dict[str, Any] = json.loads(line)
            files = {path: Kept(**kept) for path, kept in told.pop("files").items()}
            found = cls(files=files, damaged=tuple(told.pop("damaged")), **told)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not a manifest") from error
        if ROWS not in files or not all(map(is_path, files)):
            raise ValueError("a manifest names the rows, and files of a home only")
        return found
