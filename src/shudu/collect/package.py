"""The offline package: one ZIP, stored and deterministic, of data files, a manifest and its detached signature.

`manifest.json` (JCS) has, for each file, its batch header and digests; `manifest.sig` is a C2SP signed note over the
manifest's SHA-256 and SM3. Inside, files are named by number only: their own names are words in the manifest, so no
name can lead anywhere. Nothing is read of a package before its outline, and nothing of its data before its signature,
is right.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, Literal

import rfc8785
from cryptography.hazmat.primitives import hashes
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shudu.lake.types import Mode
from shudu.ledger.types import Note, Signer, VerifierKey
from shudu.ledger.types import note as notes
from shudu.ledger.types import signer as signers
from shudu.policy import json_text
from shudu.policy.types import Conflict, Invalid, Text

from . import received
from .header import BatchHeader, Digest, FileName

FORMAT: Literal["shudu-package/1"] = "shudu-package/1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MOST_FILES = 1_000
LARGEST_DIRECTORY = 1 << 20  # bytes; of so many files it has less than a fifth
_END_BYTES = 76 + 22 + (1 << 16)  # where the end of an archive stands, with the longest comment
LARGEST_MANIFEST = 16 << 20
LARGEST_SIGNATURE = 1 << 16
_DATA = re.compile(r"data/[0-9]{4}(\.[a-z0-9]{1,10})?", re.ASCII)
_CHUNK = 1 << 20


class Flaw(StrEnum):
    """Why a package is refused: the closed list."""

    BOMB = "package.bomb"
    DIGEST = "package.digest"
    FILES = "package.files"
    MANIFEST = "package.manifest"
    NAME = "package.name"
    SIGNATURE = "package.signature"
    SUBMITTER = "package.submitter"
    UNREADABLE = "package.unreadable"


WORDS: dict[Flaw, Text] = {
    Flaw.BOMB: Text(
        "数据包含有压缩、加密、重叠或过多的内容。", "The package holds compressed, encrypted, overlapping or too much."
    ),
    Flaw.DIGEST: Text("数据包中的文件与清单的摘要不符。", "A file of the package has not the manifest's digest."),
    Flaw.FILES: Text("数据包中的文件与清单所列不一致。", "The package's files are not those its manifest lists."),
    Flaw.MANIFEST: Text("数据包的清单不合规定。", "The package's manifest is not as it must be."),
    Flaw.NAME: Text(
        "数据包中有不许可的文件名、链接或重名。", "It holds a name, a link or a double that is not allowed."
    ),
    Flaw.SIGNATURE: Text("清单没有提交方有效密钥的签名。", "No valid key of the submitter has signed the manifest."),
    Flaw.SUBMITTER: Text("清单的提交方是另一个主体。", "The manifest's submitter is another party."),
    Flaw.UNREADABLE: Text("这不是完整的数据包。", "This is not a whole package."),
}
_REMEDY = Text("请向提交方索取完好的数据包。", "Ask its sender for a sound package.")


def new_key(name: str, algorithm: str, file: Path) -> VerifierKey:
    """Write a new private key to sign packages with and give its public half. ValueError, OSError when it cannot."""
    signer = signers.ADAPTERS[algorithm].generate(name)
    signers.save(signer, file)
    return signer.verifier


def flawed(flaw: Flaw, **where: Any) -> Invalid:
    return Invalid(flaw.value, WORDS[flaw], _REMEDY, where)


class Entry(BaseModel):
    """One file of a package: where it lies in it, what it is called, its digests, and the batch it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(pattern=rf"^{_DATA.pattern}$")]
    name: FileName
    bytes: Annotated[int, Field(ge=1, le=2**50)]
    sha256: Digest
    sm3: Digest
    mode: Mode
    header: BatchHeader


class Manifest(BaseModel):
    """What a package holds. Every header is its submitter's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["shudu-package/1"]
    submitted_by: Annotated[str, Field(max_length=64)]
    entries: Annotated[tuple[Entry, ...], Field(min_length=1, max_length=MOST_FILES)]


def make(files: Sequence[tuple[Path, dict[str, Any], Mode]], target: Path, signer: Signer) -> Manifest:
    """Write a package of (file, header, mode) to `target`, whole or not at all, and sign it.

    `bytes` and `sm3` of the headers are filled in from the files. The same files and headers give the same bytes (with
    Ed25519, whose signatures are deterministic). Raises Conflict `package.exists`, ValidationError for a header.
    """
    if target.exists():
        raise Conflict(
            "package.exists",
            Text("该位置已有文件，不会覆盖。", "Something is there already; it is not replaced."),
            Text("请换一个新的名称。", "Choose a new name."),
            {"file": target.name},
        )
    entries = []
    for number, (file, header, mode) in enumerate(files, 1):
        size, sha256, sm3 = received.digests(file, sm3=True)
        suffix = file.suffix.lower()
        path = f"data/{number:04}{suffix if re.fullmatch('[.][a-z0-9]{1,10}', suffix) else ''}"
        told = BatchHeader.model_validate({"bytes": size, "sm3": sm3, **header})
        entries.append(Entry(path=path, name=file.name, bytes=size, sha256=sha256, sm3=sm3, mode=mode, header=told))
    manifest = Manifest(format=FORMAT, submitted_by=entries[0].header.submitted_by, entries=tuple(entries))
    data = rfc8785.dumps(manifest.model_dump(mode="json"))
    signature = str(notes.sign(_signed(data), signer)).encode()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with zipfile.ZipFile(draft, "x", zipfile.ZIP_STORED) as archive:
            archive.writestr(_info(MANIFEST), data)
            archive.writestr(_info(SIGNATURE), signature)
            for entry, (file, _, _) in zip(entries, files, strict=True):
                with file.open("rb") as source, archive.open(_info(entry.path), "w", force_zip64=True) as sink:
                    while chunk := source.read(_CHUNK):
                        sink.write(chunk)
        handle = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        os.link(draft, target)  # unlike a rename, a link never replaces
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o600) << 16
    return info


def _signed(manifest: bytes) -> str:
    """The text of the signature's note; its first line is no log's origin."""
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(manifest)
    return f"{FORMAT}\nsha256 {hashlib.sha256(manifest).hexdigest()}\nsm3 {sm3.finalize().hex()}\n"


@dataclass(frozen=True)
class Package:
    """A package whose outline, signature and digests are right."""

    manifest: Manifest
    archive: zipfile.ZipFile

    @contextmanager
    def data(self, entry: Entry) -> Iterator[IO[bytes]]:
        with self.archive.open(entry.path) as source:
            yield source


@contextmanager
def opened(source: Path, keys: Sequence[VerifierKey]) -> Iterator[Package]:
    """A package that one of `keys` has signed, every byte checked. Raises Invalid with a code of `Flaw`."""
    with _archive(source) as archive:
        try:
            names = _outline(archive, source.stat().st_size)
            data = _small(archive, MANIFEST, LARGEST_MANIFEST)
            _check_signature(data, _small(archive, SIGNATURE, LARGEST_SIGNATURE), keys)
            manifest = _manifest(data)
            if {entry.path for entry in manifest.entries} != names - {MANIFEST, SIGNATURE}:
                raise flawed(Flaw.FILES)
            for entry in manifest.entries:
                _check_entry(archive, entry, manifest)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError):
            raise flawed(Flaw.UNREADABLE, file=source.name) from None
        yield Package(manifest, archive)


@contextmanager
def _archive(source: Path) -> Iterator[zipfile.ZipFile]:
    try:
        if not source.is_file():
            raise zipfile.BadZipFile
        with source.open("rb") as file:
            check_directory(file)
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise flawed(Flaw.UNREADABLE, file=source.name) from None
    with archive:
        yield archive


def check_directory(file: IO[bytes]) -> None:
    """Raise BadZipFile where the directory is larger than any package's: `zipfile` reads all of it into memory.

    The end is found as `zipfile` finds it (APPNOTE 4.3.14 to 4.3.16): without a comment first, else the last one.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    tail = file.read(_END_BYTES)
    at = len(tail) - 22
    if at < 0 or tail[at : at + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile
    (length,) = struct.unpack_from("<L", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\6\7" and tail[at - 76 : at - 72] == b"PK\6\6":
        (length,) = struct.unpack_from("<Q", tail, at - 36)
    if length > LARGEST_DIRECTORY:
        raise zipfile.BadZipFile


def _outline(archive: zipfile.ZipFile, size: int) -> set[str]:
    """The names in a package's directory, when nothing in it can lead out of it or grow."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    names = {info.filename for info in infos}
    if len(infos) > MOST_FILES + 2:
        raise flawed(Flaw.BOMB)
    end = 0
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        allowed = info.filename in (MANIFEST, SIGNATURE) or _DATA.fullmatch(info.filename)
        if not allowed or info.orig_filename != info.filename or kind not in (0, stat.S_IFREG):
            raise flawed(Flaw.NAME)
        stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
        if not stored or info.flag_bits & 0x2041 or info.header_offset < end:
            raise flawed(Flaw.BOMB)
        end = info.header_offset + 30 + len(info.filename) + info.file_size
    if end > size:
        raise flawed(Flaw.UNREADABLE)
    if len(names) != len(infos):
        raise flawed(Flaw.NAME)
    if not {MANIFEST, SIGNATURE} < names:
        raise flawed(Flaw.FILES)
    return names


def _small(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise flawed(Flaw.BOMB)
    return archive.read(name)


def _check_signature(manifest: bytes, signature: bytes, keys: Sequence[VerifierKey]) -> None:
    try:
        signed = Note.parse(signature.decode())
    except ValueError:
        raise flawed(Flaw.SIGNATURE) from None
    if signed.text != _signed(manifest) or not any(signed.signed_by(key) for key in keys):
        raise flawed(Flaw.SIGNATURE)


def _manifest(data: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(rfc8785.dumps(json_text.read(data)))
    except (ValueError, ValidationError, rfc8785.CanonicalizationError) as error:
        field = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ()
        raise flawed(Flaw.MANIFEST, field=".".join(map(str, field))[:200]) from None


def _check_entry(archive: zipfile.ZipFile, entry: Entry, manifest: Manifest) -> None:
    if entry.header.submitted_by != manifest.submitted_by:
        raise flawed(Flaw.SUBMITTER, file=entry.path)
    sha256, sm3, size = hashlib.sha256(), hashes.Hash(hashes.SM3()), 0
    with archive.open(entry.path) as source:
        while chunk := source.read(_CHUNK):
            sha256.update(chunk)
            sm3.update(chunk)
            size += len(chunk)
    found = (size, sha256.hexdigest(), sm3.finalize().hex())
    if found != (entry.bytes, entry.sha256, entry.sm3) or found[::2] != (entry.header.bytes, entry.header.sm3):
        raise flawed(Flaw.DIGEST, file=str(PurePosixPath(entry.path)))
