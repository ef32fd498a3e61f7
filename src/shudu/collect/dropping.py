"""The drop folder itself: what lies in it, when it is whole, and how it moves on without being lost or taken twice.

    new/        the sender writes here, and nowhere else
    taking/     ours alone: a folder for each delivery, so that from here on nobody changes a name
    accepted/   where a delivery goes with one rename, its answer beside it; or
    refused/

A data file is whole when a header lies beside it, written last; a package says of itself whether it is. Quiet is told
by the inode's change time, which no sender can set. A process killed anywhere leaves a delivery in one of these folders
only, and the next look goes on with it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from shudu.policy import clock, json_text
from shudu.policy.types import Text

from . import package
from .header import FileName

HEADER = ".header.json"
ANSWER = "result.txt"
LARGEST_HEADER = 1 << 20
MOST_TRIED = 200  # that are not whole, of one folder at one look
_CHUNK = 1 << 20
QUIET = 10.0  # seconds nobody touched what is taken
PATIENCE = 900.0  # seconds after which what is not whole is refused
_UNFINISHED = (".part", ".filepart", ".partial", ".tmp", "~")
_NAME: TypeAdapter[str] = TypeAdapter(FileName)

NAME = Text("文件名不可用，不会接收。", "Its name cannot be used; it is not taken.")
NO_HEADER = Text("旁边还没有批次头。", "No header lies beside it yet.")
NOT_REGULAR = Text("不是普通文件，不会接收。", "It is no regular file; it is not taken.")
LATER = Text("前面还有许多没写完的，轮到时再看。", "Many before it are not whole yet; it is looked at in its turn.")
UNFINISHED = Text("还没有写完。", "It is not whole yet.")


@dataclass(frozen=True, slots=True)
class Place:
    """One organisation's drop folder. Only `new` is its to write in."""

    folder: Path

    @property
    def new(self) -> Path:
        return self.folder / "new"

    @property
    def taking(self) -> Path:
        return self.folder / "taking"

    @property
    def accepted(self) -> Path:
        return self.folder / "accepted"

    @property
    def refused(self) -> Path:
        return self.folder / "refused"

    def make(self) -> None:
        """Make what is missing. The set-group-id bit lets all that comes belong to the group the operator gives it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder, mode in (
            (self.new, 0o2770),
            (self.taking, 0o2700),
            (self.accepted, 0o2750),
            (self.refused, 0o2750),
        ):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(mode)

    def check(self) -> None:
        """Raises OSError where one of the folders is not there, or is a link to somewhere else."""
        for folder in (self.folder, self.new, self.taking, self.accepted, self.refused):
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise NotADirectoryError(folder.name)


@dataclass(frozen=True, slots=True)
class Found:
    """Something in `new`: ready to be taken, or why it waits."""

    name: str
    waits: Text | None


@contextmanager
def alone(place: Place) -> Iterator[bool]:
    """Whether this process has the folder for itself while the block lasts; the lock of a killed one goes with it."""
    handle = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def look(place: Place, quiet: float = QUIET, patience: float = PATIENCE) -> Iterator[Found]:
    """What lies in `new`, by name: a header stands for itself and its file, a package for itself.

    One at a time, for whoever takes the first that is whole has looked enough. After `MOST_TRIED` that are not, the
    rest waits unopened until those are taken or refused: nobody's many hold up everybody else's.
    """
    names = set(os.listdir(place.new))
    tried = 0
    for name in sorted(names):
        if tried >= MOST_TRIED and name.lower().endswith((HEADER, ".zip")) and name + HEADER not in names:
            waits: Text | None = LATER
        elif name.endswith(HEADER):
            waits = _pair_waits(place.new, name, quiet, patience)
        elif name + HEADER in names:
            continue
        elif name.startswith(".") or name.endswith(_UNFINISHED):
            waits = UNFINISHED
        elif name.lower().endswith(".zip"):
            waits = _package_waits(place.new / name, quiet, patience)
        else:
            waits = NO_HEADER
        tried += waits is UNFINISHED
        yield Found(name, waits if _usable(name) else NAME)


def claim(place: Place, name: str) -> Path:
    """Move what `look` found ready into a folder of ours: the header first, for it knows its file."""
    folder = place.taking / f"{clock.now():%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o750)
    with suppress(FileNotFoundError):  # its sender took it back
        os.rename(place.new / name, folder / name)
    return folder


def claimed(place: Place) -> list[Path]:
    """What was taken and not yet answered, also by a process that was killed; the longest waiting first."""
    return sorted(folder for folder in place.taking.iterdir() if folder.is_dir())


def gather(place: Place, folder: Path) -> tuple[Path | None, Path | None]:
    """Header and file of a claimed delivery: (None, package) for a package, (None, None) for one that came to nothing.

    The file may still lie in `new`, and may be missing there.
    """
    names = [name for name in os.listdir(folder) if not name.startswith(ANSWER)]
    header = next((name for name in names if name.endswith(HEADER)), None)
    if header is None:
        return None, folder / names[0] if names else None
    file = folder / header.removesuffix(HEADER)
    if file.name not in names:
        with suppress(FileNotFoundError):
            if stat.S_ISREG((place.new / file.name).lstat().st_mode):
                os.rename(place.new / file.name, file)
    return folder / header, file


def answer(folder: Path, into: Path, text: str) -> Path:
    """Write what came of a delivery beside it and move both, durably and with one rename; returns where to."""
    draft = folder / f"{ANSWER}.{secrets.token_hex(4)}"
    for left in folder.glob(f"{ANSWER}.*"):
        left.unlink()
    with draft.open("x", encoding="utf-8") as sink:
        sink.write(text)
        sink.flush()
        os.fchmod(sink.fileno(), 0o640)
        os.fsync(sink.fileno())
    os.rename(draft, folder / ANSWER)
    folder.chmod(0o2750)
    _sync(folder)
    target = into / folder.name
    os.rename(folder, target)
    _sync(into)
    _sync(folder.parent)
    return target


def waited(folder: Path) -> float:
    """Seconds since a delivery was taken: nothing is put into its folder afterwards but its answer."""
    return _since(folder.lstat().st_mtime)


def line_of(header: Path | None) -> str | None:
    """What a delivery must keep its place in: those for one table follow each other, and so do packages (""). None for
    a header that does not say it."""
    if header is None:
        return ""
    try:
        code = header_in(header).get("catalog_code")
    except (OSError, ValueError):
        return None
    return code if isinstance(code, str) else None


def forget(place: Place, older_than: float) -> None:
    """Remove deliveries answered more than so many seconds ago."""
    for folder in (*place.accepted.iterdir(), *place.refused.iterdir()):
        if time.time() - folder.lstat().st_mtime >= older_than:
            shutil.rmtree(folder, ignore_errors=True)


def forget_files(place: Place, version: str) -> None:
    """Remove the files of accepted deliveries that this version was made of; what was answered stays.

    OSError where one cannot be removed; none where the folder is gone.
    """
    for folder in _there(place.accepted):
        if _names(folder / ANSWER, version):
            for file in _there(folder):
                if file.name != ANSWER:
                    file.unlink(missing_ok=True)


def header_in(file: Path) -> dict[str, Any]:
    """The JSON object of a header's file. ValueError where it is none, OSError where it cannot be read."""
    with _regular(file) as source:
        if os.fstat(source.fileno()).st_size > LARGEST_HEADER:
            raise ValueError("no header")
        told = json_text.read(source.read(LARGEST_HEADER))
    if not isinstance(told, dict):
        raise ValueError("no header")
    return told


def copy(file: Path, target: Path, size: int) -> None:
    """The bytes of a delivered file where its sender, who may still hold it open, cannot write. OSError as it comes.

    At most one more than `size`: what grows meanwhile fills no disk, and is not of the size its header says.
    """
    with _regular(file) as reading, target.open("xb") as sink:
        left = size + 1
        while left and (chunk := reading.read(min(left, _CHUNK))):
            left -= sink.write(chunk)


def _usable(name: str) -> bool:
    """Can its name be said again, on a page and in an answer?"""
    name = name.removesuffix(HEADER)
    if name.startswith(ANSWER):
        return False
    try:
        return _NAME.validate_python(name) == name
    except (ValidationError, UnicodeError):
        return False


def _there(folder: Path) -> list[Path]:
    """What lies in a folder whose time may be over just now."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _names(answer: Path, version: str) -> bool:
    try:
        return any(line.endswith(f"  {version}") for line in answer.read_text("utf-8").splitlines())
    except FileNotFoundError:  # its time was over just now
        return False


def _pair_waits(folder: Path, name: str, quiet: float, patience: float) -> Text | None:
    header, file = _status(folder / name), _status(folder / name.removesuffix(HEADER))
    if header is None or not stat.S_ISREG(header.st_mode):
        return NOT_REGULAR
    if file is not None and not stat.S_ISREG(file.st_mode):
        return None  # refused, for a header lies beside it
    there = [header, file] if file is not None else [header]
    age = min(_age(status) for status in there)
    if age < quiet or any(status.st_nlink > 1 for status in there):
        return UNFINISHED
    if age >= patience:
        return None
    try:
        told: Mapping[str, Any] = header_in(folder / name)
    except (OSError, ValueError):
        return UNFINISHED
    size = told.get("bytes")
    whole = file is not None and not (isinstance(size, int) and file.st_size < size)
    return None if whole else UNFINISHED


def _package_waits(file: Path, quiet: float, patience: float) -> Text | None:
    status = _status(file)
    if status is None or not stat.S_ISREG(status.st_mode):
        return NOT_REGULAR
    if _age(status) < quiet or status.st_nlink > 1:
        return UNFINISHED
    try:
        with _regular(file) as source:
            package.check_directory(source)
            with zipfile.ZipFile(source) as archive:
                names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None if _age(status) >= patience else UNFINISHED
    return None if {package.MANIFEST, package.SIGNATURE} <= names else NO_HEADER


@contextmanager
def _regular(file: Path) -> Iterator[IO[bytes]]:
    """A file whose sender may put a link or a pipe in its place at any moment: neither followed nor waited for."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as source:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("no regular file")
        yield source


def _status(file: Path) -> os.stat_result | None:
    try:
        return file.lstat()
    except OSError:
        return None


def _age(status: os.stat_result) -> float:
    """Seconds since anything of it changed."""
    return _since(status.st_ctime)


def _since(moment: float) -> float:
    """Seconds; a clock that was set back makes nothing wait for ever."""
    age = time.time() - moment
    return age if age >= 0 else PATIENCE


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
