"""Folders that appear whole or not at all: written aside, made durable, then renamed into place.

A crash leaves a staging folder or a folder that no version knows; `sweep` removes both. A staging folder is locked
while its writer lives, so that a long write is never swept.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

STAGING = ".staging"
GRACE = 3_600.0


class Taken(Exception):
    """Something already lies where a folder was to be published."""


@contextmanager
def staging(lake: Path) -> Iterator[Path]:
    """A private folder to write in, with an empty `files` and `spill`; gone afterwards, whatever happened."""
    folder = lake / STAGING / uuid.uuid4().hex
    with _sole(lake):
        folder.mkdir(mode=0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        (folder / "files").mkdir(mode=0o700)
        (folder / "spill").mkdir(mode=0o700)
        yield folder
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def publish(lake: Path, files: Path, target: Path) -> None:
    """Make `files` durable and rename it to `target`. Raises Taken when `target` holds something."""
    for file in files.iterdir():
        sync(file)
    # The sweep counts the hour of grace from here, not from the beginning of a long write.
    os.utime(files)
    sync(files)
    with _sole(lake):
        make_durable_folder(target.parent)
        try:
            os.rename(files, target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise Taken from None
            raise
        # All the way up: whoever made a parent may have been killed before it was durable.
        for folder in (target.parent, target.parent.parent, lake):
            sync(folder)


@contextmanager
def frozen(lake: Path, meanwhile: Callable[[Path], None]) -> Iterator[Path]:
    """A private folder with a hard link, at the same path, to every file published as of one moment; gone afterwards.

    `meanwhile` is called with a folder for what it writes, at that very moment: nothing is published, withdrawn or
    swept while it runs. What is withdrawn later stays readable through the links until the block ends.
    """
    with staging(lake) as folder:
        with _sole(lake):
            meanwhile(folder / "spill")
            for path in _published(lake):
                link = folder / "files" / path
                link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.link(lake / path, link)
        yield folder / "files"


def _published(lake: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(lake):
        if Path(folder) == lake:
            names.remove(STAGING)
        yield from (Path(folder, name).relative_to(lake) for name in files)


@contextmanager
def _sole(lake: Path) -> Iterator[None]:
    """No sweep may see the moment in which a folder is not yet locked, or a parent still empty."""
    make_durable_folder(lake / STAGING)
    handle = os.open(lake / STAGING, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def withdraw(lake: Path, target: Path) -> None:
    """Remove a folder whole: renamed aside first, so that nobody sees half of it."""
    if not target.is_dir():
        return
    with staging(lake) as aside, _sole(lake):
        if target.is_dir():
            os.rename(target, aside / "withdrawn")
            sync(target.parent)


def make_durable_folder(folder: Path) -> None:
    """Make a folder and its missing parents, private to this account, each entry durable."""
    if folder.is_dir():
        return
    make_durable_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(home: Path, known: set[str], older_than: float = GRACE) -> list[str]:
    """Remove what a crash left: folders untouched for `older_than` seconds of which nothing is `known`.

    `known` holds paths relative to the home, of files or of their folders. Returns the removed folders, likewise.
    """
    lake = home / "lake"
    spared = kept(known)
    removed = []
    with _sole(lake):
        owners = [folder for folder in _inside(lake) if folder.name != STAGING]
        assets = [asset for owner in owners for asset in _inside(owner)]
        versions = [version for asset in assets for version in _inside(asset)]
        orphans = [folder for folder in versions if str(folder.relative_to(home)) not in spared]
        abandoned = [folder for folder in _inside(lake / STAGING) if _abandoned(folder)]
        for folder in (*orphans, *abandoned):
            if _older(folder, older_than):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(str(folder.relative_to(home)))
        for folder in (*assets, *owners):
            if _older(folder, older_than):
                with suppress(OSError):  # not empty
                    folder.rmdir()
    return removed


def kept(known: set[str]) -> set[str]:
    """The folders of which something is known, relative to the home."""
    return known | {str(PurePosixPath(path).parent) for path in known}


def writing(lake: Path) -> bool:
    """Is anybody at work in a staging folder?"""
    return any(folder.exists() and not _abandoned(folder) for folder in _inside(lake / STAGING))


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder that others may be removing."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _older(folder: Path, seconds: float) -> bool:
    # By the system's clock, which is the one that stamps files.
    try:
        return time.time() - folder.stat().st_mtime >= seconds
    except FileNotFoundError:
        return False


def _abandoned(folder: Path) -> bool:
    """Has its writer died? The lock of a process ends with it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
