"""Proof that an entry is in a log, as one text: https://c2sp.org/tlog-proof.

    c2sp.org/tlog-proof@v1
    index 73894
    <base64 hash>            (none or more, the leaf's sibling first)

    <the checkpoint's note, verbatim>

The optional `extra` line is refused: nothing vouches for it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from .merkle import SIZE
from .note import Note, decode_base64, decode_number

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry's index, its inclusion proof, and the checkpoint note it leads to."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note

    def __str__(self) -> str:
        hashes = "".join(f"{base64.b64encode(node).decode()}\n" for node in self.hashes)
        return f"{HEADER}\nindex {self.index}\n{hashes}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> Proof:
        """Read a proof; ValueError unless it is written exactly as `str` writes it."""
        head, _, note = text.partition("\n\n")
        header, *lines = head.split("\n")
        if header != HEADER or not lines or not lines[0].startswith("index "):
            raise ValueError("not a tlog-proof")
        hashes = tuple(map(decode_base64, lines[1:]))
        if len(hashes) > MAX_HASHES or any(len(node) != SIZE for node in hashes):
            raise ValueError(f"a tlog-proof has at most {MAX_HASHES} hashes of {SIZE} bytes")
        return cls(decode_number(lines[0].removeprefix("index ")), hashes, Note.parse(note))
