"""What a backup held and what a restore did. `archive` needs neither Django nor a home."""

from __future__ import annotations

from dataclasses import dataclass

from . import archive as archive
from .manifest import Manifest as Manifest


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup: the SHA-256 of its manifest, whether the log's key signed it, what it holds, and which of the files
    were no longer what their rows say."""

    manifest_sha256: str
    signed: bool
    files: int
    bytes: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reopened:
    """A restored home: the origin of its new log, the size of the old log it pins, the versions that had been erased
    since the backup and are erased again, and what is wrong with the logs it came with."""

    origin: str
    pinned: int
    erased: tuple[str, ...]
    findings: tuple[str, ...]
