"""Files and folders made durable, removed, and kept to one writer; what the disk says, in words."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shudu.policy.types import Conflict, ShuduError, Text, Unavailable


def create(place: Path) -> IO[bytes]:
    return os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextmanager
def new(place: Path) -> Iterator[IO[bytes]]:
    """A file that is durable when the block has ended."""
    with create(place) as out:
        yield out
        out.flush()
        os.fsync(out.fileno())


@contextmanager
def alone(parent: Path) -> Iterator[None]:
    """One backup or restore at a time in a folder: they share the names of what is not finished yet."""
    with explained(parent):
        handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "backup.busy",
                Text("这个目录里正在进行另一次备份或恢复。", "Another backup or restore is going on in this folder."),
                Text("请等它结束，或换一个目录。", "Wait for it to end, or use another folder."),
            ) from None
        yield
    finally:
        os.close(handle)


def sync(place: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folders(place: Path) -> None:
    """fsync a folder and every folder below it."""
    for folder, _, _ in os.walk(place, topdown=False):
        sync(Path(folder))


def remove(place: Path) -> None:
    """Remove a file, or a folder with all that lies in it, if it is there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        with suppress(FileNotFoundError):
            place.unlink()


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn what the disk says into words."""
    try:
        yield
    except ShuduError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Unavailable(
                "backup.space",
                Text("磁盘空间不足，什么也没有留下。", "The disk has not enough space; nothing was left behind."),
                Text("请清理空间或换一个位置后再试。", "Free some space or choose another place, then try again."),
                {"place": place.name},
            ) from None
        raise Unavailable(
            "backup.storage",
            Text("无法在该位置读写。", f"The place cannot be read or written: {os.strerror(error.errno or 0)}."),
            Text("请核对路径与权限。", "Check the path and its permissions."),
            {"place": place.name},
        ) from None
