"""A backup is whole or refused, whatever became of it on the way; and it never stands where something stood."""

from __future__ import annotations

import io
import os
import random
import resource
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shudu.ledger.note import VerifierKey, sign
from shudu.ledger.signer import Ed25519Signer
from shudu.policy.types import ShuduError
from shudu.security import archive
from shudu.security.manifest import Kept, Manifest
from unit.lake.forked import killed_at, run

SIGNER = Ed25519Signer("data.example.org/ledger", b"\7" * 32)
FILES = {
    "shudu.sqlite3": b"rows" * 9_000,
    "shudu.toml": b"port = 8100\n",
    "release_policy.toml": b"[house]\nmax_rows = 9\n",
    "lake/pty_1/ast_1/ver_1/data.parquet": bytes(range(256)) * 50,
    "lake/pty_1/ast_1/ver_1/empty": b"",
}
FORMS = pytest.mark.parametrize("name", ["backup.tar", "backup"])


def describe(copied: dict[str, Kept]) -> str:
    text = Manifest("2026-03-02T01:00:00.000000Z", "shudu test", "a checkpoint\n", (), copied).text()
    return str(sign(text, SIGNER))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {}
    for number, (path, content) in enumerate(FILES.items()):
        made[path] = tmp_path / f"source-{number}"
        made[path].write_bytes(content)
    return made


@pytest.fixture
def backup(tmp_path: Path, files: dict[str, Path]) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        archive.write(tmp_path / name, files, describe)
        return tmp_path / name

    return make


def restore(source: Path, home: Path, *keys: VerifierKey, unsigned: bool = False) -> Manifest:
    with archive.unpacked(source, home, keys or [SIGNER.verifier], unsigned=unsigned) as (_, manifest):
        assert not home.exists() or not any(home.iterdir()), "visible before the block has ended"
    return manifest


def refused(source: Path, home: Path, **how: Any) -> str:
    with pytest.raises(ShuduError) as error:
        restore(source, home, **how)
    assert error.value.remedy
    assert not home.exists()
    assert not list(home.parent.glob(".*"))
    return error.value.code


def content(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@FORMS
def test_comes_back_byte_for_byte(backup: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    made = backup(name)
    manifest = restore(made, tmp_path / "home")
    assert content(tmp_path / "home") == FILES
    assert {path: kept.bytes for path, kept in manifest.files.items()} == {p: len(c) for p, c in FILES.items()}
    readable = [path for path in (made, *made.rglob("*"), *(tmp_path / "home").rglob("*")) if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in readable)


def test_a_tar_cut_short_anywhere_is_refused(backup: Callable[[str], Path], tmp_path: Path) -> None:
    whole = backup("backup.tar").read_bytes()
    with tarfile.open(tmp_path / "backup.tar") as tar:
        end = tar.getmember(archive.MANIFEST).offset_data + tar.getmember(archive.MANIFEST).size
    for size in {0, 1, 511, 512, 513, end - 1, *range(700, end, 4_099)}:
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        assert refused(tmp_path / "cut.tar", tmp_path / "home") in ("backup.unreadable", "backup.signature"), size


def test_no_altered_byte_changes_what_comes_back(backup: Callable[[str], Path], tmp_path: Path) -> None:
    """A tar has bytes that mean nothing to us, such as a file's time; the others are noticed."""
    whole, dice = backup("backup.tar").read_bytes(), random.Random(20260302)
    noticed = 0
    for place in (dice.randrange(len(whole)) for _ in range(150)):
        altered = bytearray(whole)
        altered[place] ^= 1 << dice.randrange(8)
        (tmp_path / "altered.tar").write_bytes(altered)
        home = tmp_path / "home"
        try:
            restore(tmp_path / "altered.tar", home)
        except ShuduError:
            noticed += 1
            assert not home.exists()
        else:
            assert content(home) == FILES
            archive.remove(home)
    assert noticed > 100


@FORMS
def test_a_stranger_vouches_for_nothing(backup: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    made, stranger = backup(name), Ed25519Signer.generate("data.example.org/ledger")
    with pytest.raises(ShuduError, match=r"backup\.signature"):
        restore(made, tmp_path / "home", stranger.verifier)
    restore(made, tmp_path / "home", stranger.verifier, unsigned=True)
    assert content(tmp_path / "home") == FILES


def change(folder: Path) -> None:
    (folder / "lake/pty_1/ast_1/ver_1/data.parquet").write_bytes(b"other")


def add(folder: Path) -> None:
    (folder / "lake/pty_1/ast_1/ver_1/more").write_bytes(b"")


def link(folder: Path) -> None:
    (folder / "shudu.toml").unlink()
    (folder / "shudu.toml").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (change, "backup.damaged"),
        (add, "backup.damaged"),
        (lambda folder: (folder / "shudu.toml").unlink(), "backup.damaged"),
        (link, "backup.unreadable"),
        (lambda folder: (folder / archive.MANIFEST).unlink(), "backup.unreadable"),
        (lambda folder: (folder / archive.MANIFEST).write_text("{}"), "backup.unreadable"),
        (lambda folder: (folder / ".hidden").write_text(""), "backup.unreadable"),
    ],
)
def test_a_folder_that_was_touched_is_refused(
    backup: Callable[[str], Path], tmp_path: Path, spoil: Callable[[Path], object], code: str
) -> None:
    made = backup("backup")
    spoil(made)
    assert refused(made, tmp_path / "home") == code
    assert refused(made, tmp_path / "home", unsigned=True) == code


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", "lake/../../outside", "lake/.staging/x", "kek.key"])
def test_no_path_leads_out_of_the_home(tmp_path: Path, path: str) -> None:
    with tarfile.open(tmp_path / "hostile.tar", "w") as tar:
        info = tarfile.TarInfo(path)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    assert refused(tmp_path / "hostile.tar", tmp_path / "deep" / "home", unsigned=True) == "backup.unreadable"
    assert not (tmp_path / "outside").exists()
    with pytest.raises(ValueError, match="manifest"):
        Manifest.parse(Manifest("", "", "", (), {"shudu.sqlite3": Kept(0, ""), path: Kept(0, "")}).text())


def test_nothing_is_written_over(backup: Callable[[str], Path], files: dict[str, Path], tmp_path: Path) -> None:
    made = backup("backup.tar")
    with pytest.raises(ShuduError, match=r"backup\.exists"):
        archive.write(made, files, describe)
    home = tmp_path / "home"
    home.mkdir()
    restore(made, home)  # an empty folder may stand there
    before = content(home)
    with pytest.raises(ShuduError, match=r"restore\.not_empty"):
        restore(made, home)
    assert content(home) == before


@FORMS
def test_a_full_disk_leaves_nothing_behind(
    backup: Callable[[str], Path], files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    made = backup("whole")

    def starved(work: Callable[[], object]) -> str:
        def attempt() -> str:
            try:
                work()
            except ShuduError as error:
                return error.code
            return ""

        _, code = run(attempt, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))
        return str(code)

    assert starved(lambda: archive.write(tmp_path / name, files, describe)) == "backup.space"
    assert starved(lambda: restore(made, tmp_path / "home")) == "backup.space"
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(path.name for path in files.values()), "whole"]


@FORMS
def test_killed_anywhere_it_is_there_whole_or_not_at_all(files: dict[str, Path], tmp_path: Path, name: str) -> None:
    target, home = tmp_path / name, tmp_path / "home"
    for what, work in {
        target: lambda: archive.write(target, files, describe),
        home: lambda: bool(restore(target, home)),
    }.items():
        point, seen = 0, set()
        while run(work, killed_at(point))[0]:
            seen.add(what.exists())
            if what.exists():  # the kill came after the rename
                archive.remove(what)
            point += 1
        assert seen == {True, False}
        assert point > 4
    assert content(home) == FILES
    with suppress(FileNotFoundError):
        os.remove(tmp_path / f".{name}.partial")
    assert not list(tmp_path.glob(".*"))
