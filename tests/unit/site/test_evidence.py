"""The log's public face: C2SP tlog-tiles paths, types and caching, and nothing at any other spelling."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from django.test import Client


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def unbundle(data: bytes) -> list[bytes]:
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    return entries


@pytest.mark.usefixtures("log")
def test_the_checkpoint_is_fresh_text_that_the_key_signed(client: Client) -> None:
    response = client.get("/ledger/checkpoint")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    origin, size, root, empty, signature = response.content.decode().splitlines()
    assert (origin, empty) == ("data.example.org/ledger", "")
    assert int(size) >= 2
    assert len(base64.b64decode(root)) == 32
    assert signature.startswith(f"— {origin} ")
    key = client.get("/ledger/key")
    assert key["Content-Type"] == "text/plain; charset=utf-8"
    assert key.content.decode().split("+")[0] == origin
    assert key.content.endswith(b"\n")


def test_full_tiles_keep_for_ever_and_hold_the_hashes_of_their_entries(
    client: Client, grow: Callable[[int], None]
) -> None:
    grow(260)
    size = int(client.get("/ledger/checkpoint").content.decode().splitlines()[1])
    full = client.get("/ledger/tile/0/000")
    entries = client.get("/ledger/tile/entries/000")
    for response in (full, entries):
        assert response["Content-Type"] == "application/octet-stream"
        assert "immutable" in response["Cache-Control"]
        assert "Vary" not in response
    assert full.content == b"".join(leaf_hash(entry) for entry in unbundle(entries.content))
    rest = size - 256
    partial = client.get(f"/ledger/tile/0/001.p/{rest}")
    assert partial.status_code == 200
    assert "immutable" not in partial["Cache-Control"]
    bundle = client.get(f"/ledger/tile/entries/001.p/{rest}")
    assert partial.content == b"".join(leaf_hash(entry) for entry in unbundle(bundle.content))
    assert client.get("/ledger/tile/1/000.p/1").status_code == 200


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "path",
    [
        "0/000",  # not full yet
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/200",  # wider than the tree
        "0/000.p/256",  # a full tile has one name
        "0/0",
        "0/0000",
        "0/x000/000.p/1",  # a leading group of zeros
        "0/x000/001.p/1",
        "0/x001/x234/067",  # well spelt, and not there
        "0/001/000",
        "0/%E0%A5%A6%E0%A5%A6%E0%A5%A6.p/1",  # digits, but not these
        "00/000.p/1",
        "64/000.p/1",
        "-1/000",
        "entries/000",
        "entries/x000/000.p/1",
        "entries/000.p/1/",
        "entries/",
        "0/",
        "0/000.p/1%0A",
    ],
)
def test_any_other_spelling_is_not_there(client: Client, path: str) -> None:
    assert client.get("/ledger/tile/0/000.p/1").status_code == 200
    assert client.get("/ledger/tile/entries/000.p/1").status_code == 200
    assert client.get(f"/ledger/tile/{path}").status_code == 404


@pytest.mark.usefixtures("log")
def test_the_log_is_only_read(client: Client) -> None:
    for path in ("/ledger/checkpoint", "/ledger/key", "/ledger/tile/0/000.p/1", "/ledger/tile/entries/000.p/1"):
        assert client.post(path).status_code == 405
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")


def test_before_the_log_is_open_it_is_said_so(client: Client, db: None) -> None:
    response = client.get("/ledger/checkpoint", headers={"accept-language": "zh"})
    assert response.status_code in (404, 409)
    assert "尚未开立" in response.content.decode()
