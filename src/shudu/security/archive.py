"""The backup as bytes: a folder or one tar file of the home's files, and a signed manifest with the digest of each.

The manifest is written last: what was cut short has none.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Protocol, cast

from shudu.ledger.types import Note, VerifierKey
from shudu.policy.types import Conflict, Invalid, Text

from .disk import alone, create, explained, new, remove, sync, sync_folders
from .manifest import Kept, Manifest, is_path

MANIFEST = "manifest"
_CHUNK = 1 << 20
_LARGEST_MANIFEST = 1 << 28


class _Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Sink(Protocol):
    def add(self, path: str, source: _Source, size: int) -> None: ...
    def close(self) -> None: ...


class _Folder:
    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(mode=0o700)

    def add(self, path: str, source: _Source, size: int) -> None:
        target = self.place / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with new(target) as out:
            shutil.copyfileobj(source, out, _CHUNK)

    def close(self) -> None:
        sync_folders(self.place)


class _Tar:
    def __init__(self, place: Path) -> None:
        self.file = create(place)
        self.tar = tarfile.TarFile(fileobj=self.file, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, path: str, source: _Source, size: int) -> None:
        info = tarfile.TarInfo(path)
        info.size, info.mode = size, 0o600
        self.tar.addfile(info, cast(IO[bytes], source))

    def close(self) -> None:
        self.tar.close()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


class _Hashing:
    """Reads a file and digests what it hands on."""

    def __init__(self, source: _Source) -> None:
        self.source, self.digest, self.bytes = source, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.digest.update(data)
        self.bytes += len(data)
        return data

    @property
    def kept(self) -> Kept:
        return Kept(self.bytes, self.digest.hexdigest())


def is_tar(target: Path) -> bool:
    """A name ending in `.tar` means one file, any other a folder."""
    return target.suffix == ".tar"


def write(target: Path, files: Mapping[str, Path], manifest: Callable[[dict[str, Kept]], str]) -> None:
    """Write a backup of `files` (by path in the home); it appears under its name whole, durable, or not at all.

    `manifest` gets the digests of what was copied and gives the note to put last. Raises Conflict `backup.exists`,
    `backup.busy`, Unavailable `backup.space`, `backup.storage`. What a killed one left is removed by the next.
    """
    partial = target.with_name(f".{target.name}.partial")
    with explained(target), alone(target.parent):
        if target.exists() or target.is_symlink():
            raise _exists(target)
        remove(partial)
        try:
            sink: _Sink = _Tar(partial) if is_tar(target) else _Folder(partial)
            copied = {}
            for path, place in files.items():
                with place.open("rb") as source:
                    reading = _Hashing(source)
                    sink.add(path, reading, os.fstat(source.fileno()).st_size)
                copied[path] = reading.kept
            note = manifest(copied).encode()
            sink.add(MANIFEST, BytesIO(note), len(note))
            sink.close()
            os.rename(partial, target)
            sync(target.parent)
        except BaseException:
            remove(partial)
            raise


@contextmanager
def unpacked(
    source: Path, home: Path, keys: Sequence[VerifierKey], *, unsigned: bool = False
) -> Iterator[tuple[Path, Manifest]]:
    """The files of a backup in a folder beside `home`, every digest checked; `home` itself when the block ends well.

    Until then nothing stands at `home`, and whatever goes wrong nothing ever will. The manifest must be signed by one
    of `keys`, unless `unsigned`. Raises Conflict `restore.not_empty`, `restore.busy`, Invalid `backup.unreadable`,
    `backup.damaged` (naming the file) or `backup.signature`, Unavailable `backup.space`.
    """
    partial = home.with_name(f".{home.name}.restoring")
    with explained(home):
        home.parent.mkdir(parents=True, exist_ok=True)
    with alone(home.parent):
        with explained(home):
            if home.is_symlink() or (home.exists() and not (home.is_dir() and not any(home.iterdir()))):
                raise _not_empty(home)
            remove(partial)
        try:
            with explained(home):
                found = _unpack(source, partial)
            manifest = _checked(found, partial, keys, unsigned)
            yield partial, manifest
            with explained(home):
                sync_folders(partial)
                os.rename(partial, home)  # onto nothing, or an empty folder
                sync(home.parent)
        except BaseException:
            remove(partial)
            raise


def _unpack(source: Path, into: Path) -> dict[str, Kept]:
    """Copy what the backup holds, names checked; the digests are of the bytes as they were written."""
    into.mkdir(mode=0o700)
    found: dict[str, Kept] = {}
    try:
        for path, data in _members(source):
            if path in found or not (path == MANIFEST or is_path(path)):
                raise _unreadable(source)
            target = into / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            reading = _Hashing(data)
            with new(target) as out:
                shutil.copyfileobj(reading, out, _CHUNK)
            found[path] = reading.kept
    except (tarfile.TarError, EOFError, ValueError):
        raise _unreadable(source) from None
    if MANIFEST not in found:
        raise _unreadable(source)
    return found


def _members(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if not source.exists():
        raise _unreadable(source)
    if source.is_dir():
        for folder, _, names in os.walk(source):
            for name in names:
                place = Path(folder, name)
                if place.is_symlink() or not place.is_file():
                    raise _unreadable(source)
                with place.open("rb") as data:
                    yield str(place.relative_to(source)), data
        return
    with tarfile.open(source, "r|") as tar:
        for info in tar:
            content = tar.extractfile(info) if info.isreg() else None
            if content is None:
                raise _unreadable(source)
            yield info.name, content


def _checked(found: dict[str, Kept], place: Path, keys: Sequence[VerifierKey], unsigned: bool) -> Manifest:
    """The manifest, when everything is as it says; the file itself is gone afterwards."""
    if found.pop(MANIFEST).bytes > _LARGEST_MANIFEST:
        raise _unreadable(place)
    try:
        text = (place / MANIFEST).read_text("utf-8")
        note = Note.parse(text) if text.endswith("\n") and "\n\n" in text else None
        manifest = Manifest.parse(note.text if note else text)
    except ValueError:
        raise _unreadable(place) from None
    if not unsigned and not (note and any(note.signed_by(key) for key in keys)):
        raise _signature()
    for path in sorted(found.keys() | manifest.files.keys()):
        if found.get(path) != manifest.files.get(path):
            raise _damaged(path)
    (place / MANIFEST).unlink()
    return manifest


def _exists(target: Path) -> Conflict:
    return Conflict(
        "backup.exists",
        Text("该位置已有内容，备份不会覆盖它。", "Something is there already; a backup never replaces it."),
        Text("请换一个新的名称。", "Choose a new name."),
        {"place": target.name},
    )


def _not_empty(home: Path) -> Conflict:
    return Conflict(
        "restore.not_empty",
        Text("目标主目录不是空的，恢复不会覆盖它。", "The home is not empty; a restore never replaces one."),
        Text("请指定一个新的或空的主目录。", "Name a home that is new or empty."),
        {"home": home.name},
    )


def _unreadable(source: Path) -> Invalid:
    return Invalid(
        "backup.unreadable",
        Text("这不是完整的备份。", "This is not a whole backup."),
        Text("请改用另一份备份。", "Use another backup."),
        {"file": source.name},
    )


def _damaged(path: str) -> Invalid:
    return Invalid(
        "backup.damaged",
        Text("备份中的文件与清单不符，什么也没有恢复。", "A file differs from the manifest; nothing was restored."),
        Text("请改用另一份备份。", "Use another backup."),
        {"file": path},
    )


def _signature() -> Invalid:
    return Invalid(
        "backup.signature",
        Text(
            "备份清单没有可信的签名：密钥目录中没有签署它的账本密钥，或清单被改动。",
            "Nothing vouches for the manifest: the keys folder does not hold the ledger key that signed it, or it was"
            " altered.",
        ),
        Text(
            "请放回密钥目录，或用 --key 给出另行保存的账本公钥；只信任摘要时可用 --unsigned。",
            "Put the keys folder back, or give the log's verifier key kept elsewhere with --key; --unsigned trusts the"
            " digests alone.",
        ),
    )
