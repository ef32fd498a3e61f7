"""A log's reader written from the public specifications alone. It shares no code with the ledger, on purpose.

    audit(fetch, verifier_key) -> (size, root)

`fetch(path)` returns the bytes of `checkpoint`, `tile/<level>/<index>` and `tile/entries/<index>` (C2SP tlog-tiles).
The root is recomputed twice, from the entries and from the hash tiles; AssertionError names what does not agree.
"""

import base64
import hashlib
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], bytes]


def audit(fetch: Fetch, verifier_key: str) -> tuple[int, bytes]:
    """The size and root of the log's latest checkpoint, once everything beneath it has been recomputed."""
    size, root = open_checkpoint(fetch("checkpoint").decode("utf-8"), verifier_key)
    levels = hash_tiles(fetch, size)
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries(fetch, size)]
    assert leaves == levels[0], "the entries do not hash to the level-0 tiles"
    assert root_of(leaves) == root, "the entries do not hash to the checkpoint's root"
    assert root_of_tiles(levels, size) == root, "the hash tiles do not lead to the checkpoint's root"
    return size, root


def open_checkpoint(note: str, verifier_key: str) -> tuple[int, bytes]:
    """The size and root a checkpoint states, if this key has signed it."""
    name, identifier, encoded = verifier_key.strip().split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    assert key[0] == 1, "not an Ed25519 key"
    assert hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == identifier, "the key's id is not its own"
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    signed = False
    assert signatures.endswith("\n"), "the checkpoint's last line has no end"
    for line in signatures[:-1].split("\n"):
        dash, by, signature = line.split(" ")
        raw = base64.b64decode(signature, validate=True)
        if dash == "—" and by == name and raw[:4].hex() == identifier:
            try:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], text.encode())
            except InvalidSignature:
                raise AssertionError("the checkpoint's signature is false") from None
            signed = True
    assert signed, "the key has not signed the checkpoint"
    origin, size, root = text.split("\n")[:3]
    assert origin == name, "the checkpoint is another log's"
    return int(size), base64.b64decode(root, validate=True)


def resource(level: str, index: int, width: int) -> str:
    """`tile/0/x001/x234/067.p/8`."""
    parts = []
    while True:
        parts.insert(0, f"{index % 1000:03d}")
        index //= 1000
        if not index:
            break
    path = "/".join(["x" + part for part in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{path}" + (f".p/{width}" if width < 256 else "")


def tiled(fetch: Fetch, level: str, count: int) -> list[tuple[int, bytes]]:
    """(width, bytes) of every tile that `count` hashes or entries fill."""
    widths = [256] * (count // 256) + ([count % 256] if count % 256 else [])
    return [(width, fetch(resource(level, index, width))) for index, width in enumerate(widths)]


def entries(fetch: Fetch, size: int) -> list[bytes]:
    """Every entry, from the bundles."""
    found = []
    for width, bundle in tiled(fetch, "entries", size):
        at, before = 0, len(found)
        while at < len(bundle):
            (length,) = struct.unpack(">H", bundle[at : at + 2])
            entry = bundle[at + 2 : at + 2 + length]
            assert len(entry) == length, "an entry bundle is cut short"
            found.append(entry)
            at += 2 + length
        assert len(found) - before == width, "an entry bundle has another width than its name says"
    return found


def hash_tiles(fetch: Fetch, size: int) -> list[list[bytes]]:
    """The hashes of every tile level, each checked against the full tiles below it."""
    levels: list[list[bytes]] = []
    count = size
    while count or not levels:
        hashes = []
        for width, tile in tiled(fetch, str(len(levels)), count):
            assert len(tile) == 32 * width, "a hash tile has another width than its name says"
            hashes += [tile[at : at + 32] for at in range(0, len(tile), 32)]
        if levels:
            below = levels[-1]
            full = [root_of(below[at : at + 256]) for at in range(0, len(below) - 255, 256)]
            assert hashes == full, "a hash tile does not follow from the level below it"
        levels.append(hashes)
        count //= 256
    return levels


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1 from the bottom up: neighbours are paired, an odd one out moves up as it is."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    row = leaves
    while len(row) > 1:
        pairs = [hashlib.sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)]
        row = pairs + (row[-1:] if len(row) % 2 else [])
    return row[0]


def root_of_tiles(levels: list[list[bytes]], size: int) -> bytes:
    """The root from the highest tiles down: what each level adds to the right of the level above."""
    if size == 0:
        return hashlib.sha256(b"").digest()
    root = b""
    for hashes in levels:  # upwards: what a level's partial tile holds lies left of everything below it
        rest = hashes[len(hashes) // 256 * 256 :]
        if rest:
            root = _beside(rest, root)
    return root


def _beside(left: list[bytes], right: bytes) -> bytes:
    """Complete subtrees of one height, left to right, with a smaller tree `right` (if any) at their end."""
    peaks: list[tuple[int, bytes]] = []
    for node in left:
        width = 1
        while peaks and peaks[-1][0] == width:
            node = hashlib.sha256(b"\x01" + peaks.pop()[1] + node).digest()
            width *= 2
        peaks.append((width, node))
    root = right
    for _, peak in reversed(peaks):
        root = hashlib.sha256(b"\x01" + peak + root).digest() if root else peak
    return root
