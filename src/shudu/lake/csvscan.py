"""Reading a source once, byte by byte, beside the engine that parses it: its digest, and whether it is strict CSV.

The engine is fast and forgiving: it drops an empty field too many and blanks around quotes without a word. So the rules
of RFC 4180 are checked here, and the commas outside quotes are counted: a table of c columns and r rows has
(c - 1) · (r + 1) of them, or the engine and the file disagree.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import NDArray

from shudu.policy.types import Invalid, Text

from .csvhead import not_utf8, refuse

CHUNK = 1 << 20
MAX_RECORD = 2_000_000
_COMMA, _NEWLINE, _RETURN, _QUOTE = b',\n\r"'
_FIELD_EDGES = np.zeros(256, dtype=bool)
_FIELD_EDGES[[_COMMA, _NEWLINE, _RETURN, _QUOTE]] = True


class Scan:
    """Takes a file in chunks of bytes. Raises Invalid at the first thing that is not strict UTF-8 CSV."""

    def __init__(self) -> None:
        self.bytes = 0
        self.commas = 0
        self.rows_begun = 1
        self._sha256 = hashlib.sha256()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._quoted = False
        self._last = _NEWLINE

    def feed(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        if self.bytes == 0:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
            self.bytes += len(codecs.BOM_UTF8) if len(chunk) < CHUNK and self._bom(chunk) else 0
        self._check_text(chunk)
        if chunk:
            self._count(np.frombuffer(chunk, dtype=np.uint8), chunk)
            self._last = chunk[-1]
        self.bytes += len(chunk)
