"""Packages: made and checked without a home, taken in once, and every hostile one refused with a reason."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shudu.collect import actions, package
from shudu.collect.models import Batch
from shudu.collect.package import Flaw
from shudu.collect.types import RegisterKey
from shudu.lake.types import Mode
from shudu.ledger.types import note, signer
from shudu.policy.types import Invalid

from .headers import fields
from .test_batches import DOCS, MORE, Desk, desk, kept

assert desk, kept  # the fixtures
NAME = "91510100MA0000103G"
KEY = signer.Ed25519Signer(NAME, b"\x07" * 32)
Parts = dict[str, bytes]


def written(desk: Desk, by: Any = KEY, mode: Mode = Mode.APPEND, **changed: Any) -> Path:
    file = desk.file(MORE, "二月.csv")
    told = fields(file, desk.asset.code, NAME, **changed)
    target = desk.folder / "package.zip"
    target.unlink(missing_ok=True)
    package.make([(file, told, mode)], target, by)
    return target


def register(desk: Desk, days: int = 30, key: Any = KEY) -> Any:
    return actions.register_key(desk.actor, RegisterKey(verifier=str(key.verifier), days=days))


@pytest.mark.parametrize("algorithm", signer.ADAPTERS)
def test_a_package_is_taken_in_once(desk: Desk, algorithm: str) -> None:
    key = signer.ADAPTERS[algorithm].generate(NAME)
    register(desk, key=key)
    source = written(desk, key)
    (row,) = actions.accept_package(desk.actor, source)
    assert (row.state, row.batch_id) == ("accepted", "2026-03-02-1")
    assert actions.accept_package(desk.actor, source) == [row], "a replay changes nothing"
    assert Batch.objects.filter(owner=desk.actor.party).count() == 1


def test_the_same_files_make_the_same_package(desk: Desk) -> None:
    first = written(desk).read_bytes()
    assert written(desk).read_bytes() == first
    with zipfile.ZipFile(written(desk)) as archive:
        assert archive.namelist() == ["manifest.json", "manifest.sig", "data/0001.csv"]
        assert json.loads(archive.read("manifest.json"))["entries"][0]["name"] == "二月.csv"


def parts_of(source: Path) -> Parts:
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(target: Path, parts: Parts | list[tuple[Any, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in parts.items() if isinstance(parts, dict) else parts:
            archive.writestr(name, data)
    return target


def signed_again(parts: Parts, change: Callable[[dict[str, Any]], None], by: Any = KEY) -> Parts:
    """What somebody who holds the key could write."""
    told = json.loads(parts["manifest.json"])
    change(told)
    data = json.dumps(told, ensure_ascii=False).encode()
    return {**parts, "manifest.json": data, "manifest.sig": str(note.sign(package._signed(data), by)).encode()}


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def doubled(source: Path, target: Path) -> Path:
    with pytest.warns(UserWarning, match="Duplicate"):
        return packed(target, [*parts_of(source).items(), ("data/0001.csv", b"no,place,value\n9,9,9\n")])


def overlapping(source: Path, target: Path) -> Path:
    """Two entries of the directory over the same bytes: what a quoted bomb is made of."""
    packed(target, {**parts_of(source), "data/0002.csv": parts_of(source)["data/0001.csv"]})
    data = bytearray(target.read_bytes())
    entries = [found.start() for found in re.finditer(b"PK\x01\x02", data)]
    data[entries[-1] + 42 : entries[-1] + 46] = data[entries[-2] + 42 : entries[-2] + 46]
    data[entries[-1] + 46 : entries[-1] + 59] = b"data/0001.csv"
    target.write_bytes(data)
    return target


def with_(name: str, data: bytes = b"x") -> Callable[[Path, Path], Path]:
    return lambda source, target: packed(target, {**parts_of(source), name: data})


def again(change: Callable[[dict[str, Any]], None], by: Any = KEY) -> Callable[[Path, Path], Path]:
    return lambda source, target: packed(target, signed_again(parts_of(source), change, by))


def first(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda told: told["entries"][0].update(changed)


def without(*names: str) -> Callable[[Path, Path], Path]:
    return lambda source, target: packed(target, {n: d for n, d in parts_of(source).items() if n not in names})


def cut(share: float) -> Callable[[Path, Path], Path]:
    def shorter(source: Path, target: Path) -> Path:
        data = source.read_bytes()
        target.write_bytes(data[: int(len(data) * share)])
        return target

    return shorter


STRANGER = signer.Ed25519Signer(NAME, b"\x08" * 32)
HOSTILE: dict[str, tuple[Callable[[Path, Path], Path], Flaw]] = {
    "leads upwards": (with_("../../evil.csv"), Flaw.NAME),
    "leads to the root": (with_("/etc/passwd"), Flaw.NAME),
    "leads by a backslash": (with_("data\\..\\x.csv"), Flaw.NAME),
    "a folder": (with_("data/", b""), Flaw.NAME),
    "digits that are none": (with_("data/٠٠٠٢.csv"), Flaw.NAME),
    "letters that look alike": (with_("dаta/0002.csv"), Flaw.NAME),
    "letters written backwards": (with_("data/0002\u202evsc.csv"), Flaw.NAME),
    "another case": (with_("Manifest.json"), Flaw.NAME),
    "a name cut by NUL": (with_("data/0002.csv\0.exe"), Flaw.FILES),
    "a symbolic link": (
        lambda source, target: packed(target, [*parts_of(source).items(), (link("data/0002.csv"), b"/etc/passwd")]),
        Flaw.NAME,
    ),
    "a name twice": (doubled, Flaw.NAME),
    "compressed": (lambda source, target: packed(target, parts_of(source), zipfile.ZIP_DEFLATED), Flaw.BOMB),
    "a bomb": (
        lambda source, target: packed(
            target, {**parts_of(source), "data/0002.csv": bytes(40 << 20)}, zipfile.ZIP_DEFLATED
        ),
        Flaw.BOMB,
    ),
    "overlapping": (overlapping, Flaw.BOMB),
    "too many": (
        lambda source, target: packed(
            target, {**parts_of(source), **{f"data/{n:04}.txt": b"" for n in range(2, 1_100)}}
        ),
        Flaw.BOMB,
    ),
    "a file not in the manifest": (with_("data/0002.csv"), Flaw.FILES),
    "a file missing": (without("data/0001.csv"), Flaw.FILES),
    "no manifest": (without("manifest.json"), Flaw.FILES),
    "no signature": (without("manifest.sig"), Flaw.FILES),
    "empty": (lambda source, target: packed(target, {}), Flaw.FILES),
    "another's key": (again(lambda told: None, STRANGER), Flaw.SIGNATURE),
    "a manifest altered": (with_("manifest.json", b"{}"), Flaw.SIGNATURE),
    "a signature of nothing": (with_("manifest.sig", b"x"), Flaw.SIGNATURE),
    "a signature that is not text": (with_("manifest.sig", b"\xff\xfe"), Flaw.SIGNATURE),
    "data altered": (with_("data/0001.csv", MORE.replace("7", "8").encode()), Flaw.DIGEST),
    "a digest that is not the file's": (again(first(sm3="0" * 64)), Flaw.DIGEST),
    "not a manifest": (again(lambda told: told.update(format="shudu-package/9")), Flaw.MANIFEST),
    "more than a manifest": (again(lambda told: told.update(run="rm")), Flaw.MANIFEST),
    "a path in a name": (again(first(name="../二月.csv")), Flaw.MANIFEST),
    "a name written backwards": (again(first(name="\u202evsc.二月")), Flaw.MANIFEST),
    "a path that is none": (again(first(path="data/../0001.csv")), Flaw.MANIFEST),
    "another party in a header": (
        again(lambda told: told["entries"][0]["header"].update(submitted_by="52510100MA00003066")),
        Flaw.SUBMITTER,
    ),
    "another party's": (
        again(
            lambda told: [one.update(submitted_by="52510100MA00003066") for one in (told, told["entries"][0]["header"])]
        ),
        Flaw.SUBMITTER,
    ),
    "cut short": (cut(0.5), Flaw.UNREADABLE),
    "cut at its end": (cut(0.99), Flaw.UNREADABLE),
    "nothing": (cut(0), Flaw.UNREADABLE),
    "no package at all": (
        lambda source, target: (target.write_bytes(b"PK" * 99) and target) or target,
        Flaw.UNREADABLE,
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_package_is_refused(desk: Desk, what: str) -> None:
    register(desk)
    make, flaw = HOSTILE[what]
    target = desk.folder / "hostile.zip"
    target.unlink(missing_ok=True)
    source = make(written(desk), target)
    with pytest.raises(Invalid) as caught:
        actions.accept_package(desk.actor, source)
    assert caught.value.code == flaw
    assert not Batch.objects.filter(owner=desk.actor.party).exists()


def test_a_key_signs_in_its_time_only(desk: Desk, clock: Any) -> None:
    source = written(desk)

    def refused() -> None:
        with pytest.raises(Invalid, match=r"package\.signature"):
            actions.accept_package(desk.actor, source)

    refused()
    row = register(desk, days=30)
    newer = signer.Ed25519Signer(NAME, b"\x09" * 32)
    register(desk, days=90, key=newer)
    assert actions.accept_package(desk.actor, source)
    clock.advance(days=31)
    refused()
    source = written(desk, newer, Mode.UPSERT, batch_id="2")
    assert actions.accept_package(desk.actor, source)
    assert actions.revoke_key(desk.actor, row.id).revoked


def test_every_flaw_is_tried_and_documented() -> None:
    assert {flaw for _, flaw in HOSTILE.values()} == set(Flaw)
    rows = re.findall(r"^\| `(package\.[a-z_]+)` \| ([^|]+) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {flaw.value: words.en for flaw, words in package.WORDS.items()}


def test_making_and_checking_need_no_home(tmp_path: Path) -> None:
    data, header = tmp_path / "a.csv", tmp_path / "a.json"
    data.write_text(MORE)
    told = fields(data, "307010000000000000/000001", NAME)
    header.write_text(json.dumps({name: one for name, one in told.items() if name not in ("bytes", "sm3")}))
    missing = tmp_path / "no-home"

    def tell(*words: object, code: int = 0) -> Any:
        command = [sys.executable, "-m", "shudu.cli", "package", *map(str, words), "--json"]
        env = {"PATH": "/usr/bin:/bin", "SHUDU_HOME": str(missing), "LANG": "C.UTF-8"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    key = tell("key", NAME, "--out", tmp_path / "sender.key")["verifier"]
    out = tmp_path / "a.zip"
    tell("make", data, "--header", header, "--signing-key", tmp_path / "sender.key", "--out", out)
    (entry,) = tell("check", out, "--key", key)["entries"]
    assert entry["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert tell("check", out, "--key", str(STRANGER.verifier), code=1)["error"]["code"] == "package.signature"
    assert not missing.exists()
