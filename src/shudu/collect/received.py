"""The bytes of uploads: one private file each, in the owner's own folder of the home, written from a known offset on.

A part is on the disk before anybody is told so. What lies behind the acknowledged offset was never acknowledged and is
cut off by the next part. The file's lock is held for one write only, so a sender whose line went dead blocks nobody.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from shudu.policy.types import Conflict, Text, Unavailable

_CHUNK = 1 << 20
READING = ".reading"
READING_HOURS = 24
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def held(place: Path) -> Iterator[int]:
    """The file at `place`, made when it is not there, for this writer alone: a descriptor."""
    new = not place.exists()
    if new:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if new:
            for folder in (place.parent, place.parent.parent, place.parent.parent.parent):
                _sync(folder)
        yield handle
    finally:
        os.close(handle)


def write(handle: int, offset: int, data: bytes) -> None:
    """Put `data` at `offset`, durable when this returns, and nothing behind it.

    Raises Unavailable `upload.space` when the disk is full, with the file as it was, and Conflict `upload.lost` when
    bytes before `offset` are no longer there.
    """
    if os.fstat(handle).st_size < offset:
        raise lost()
    try:
        os.ftruncate(handle, offset)
        rest = memoryview(data)
        while rest:
            offset += (done := os.pwrite(handle, rest, offset))
            rest = rest[done:]
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        with suppress(OSError):
            os.ftruncate(handle, offset - (len(data) - len(rest)))
        raise no_space() from None


def digests(place: Path, *, sm3: bool) -> tuple[int, str, str]:
    """Size, SHA-256 and, when asked for, SM3 (GB/T 32905) of a file, hex; Conflict `upload.lost` when it is gone."""
    sha256, other, size = hashlib.sha256(), hashes.Hash(hashes.SM3()) if sm3 else None, 0
    try:
        with place.open("rb") as file:
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
                size += len(chunk)
                if other is not None:
                    other.update(chunk)
    except FileNotFoundError:
        raise lost() from None
    return size, sha256.hexdigest(), other.finalize().hex() if other is not None else ""


@contextmanager
def named(root: Path, place: Path, name: str) -> Iterator[Path]:
    """The same bytes under the sender's name, for readers that say it again; they stay while the block lasts."""
    with aside(root) as folder:
        path = folder / short(name)
        try:
            os.link(place, path)
        except FileNotFoundError:
            raise lost() from None
        yield path


@contextmanager
def aside(root: Path) -> Iterator[Path]:
    """A private folder, gone when the block ends; one of a process that was killed goes with the sweep."""
    folder = root / READING / uuid.uuid4().hex
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def short(name: str) -> str:
    """A name no file system refuses: its end tells the format, so that stays."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:50]}{dot}{suffix[:10]}" if dot else suffix[:50]


def sweep(root: Path, known: set[str], older_than: float = 3_600.0) -> list[str]:
    """Remove the files of uploads not in `known`, untouched for `older_than` seconds; returns their names."""
    removed = []
    for folder in root.iterdir() if root.is_dir() else ():
        for file in folder.iterdir():
            if file.is_dir():  # of a reader that was killed
                if time.time() - file.stat().st_mtime >= READING_HOURS * 3_600:
                    shutil.rmtree(file, ignore_errors=True)
                continue
            # By the system's clock, which is the one that stamps files.
            if file.name not in known and time.time() - file.stat().st_mtime >= older_than:
                file.unlink(missing_ok=True)
                removed.append(file.name)
        with suppress(OSError):  # not empty
            folder.rmdir()
    return removed


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def no_space() -> Unavailable:
    return Unavailable(
        "upload.space",
        Text("服务器没有足够空间接收上传。", "The server has no room for this upload."),
        Text(
            "已确认的部分仍在；请联系运营机构，腾出空间后从原偏移继续。",
            "What was acknowledged is still there. Ask the operating company; go on from the same offset afterwards.",
        ),
    )


def lost() -> Conflict:
    return Conflict(
        "upload.lost",
        Text("这次上传已收到的内容不在了。", "What this upload had received is no longer there."),
        Text("请删除它，重新上传。", "Remove it and upload again."),
    )
