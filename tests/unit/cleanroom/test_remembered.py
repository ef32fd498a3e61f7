"""What the self-check found holds for the same circumstances and for nobody else's word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shudu.cleanroom import remembered
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.sandbox import Capabilities

BOOT = "a-boot"


@pytest.fixture
def found() -> Capabilities:
    return Bubblewrap().capabilities()


@pytest.fixture
def kept(tmp_path: Path, found: Capabilities) -> Iterator[Path]:
    """The one file that is kept."""
    before = remembered._folder
    remembered.remember_in(tmp_path / "sandbox")
    remembered.remember(BOOT, found)
    (file,) = (tmp_path / "sandbox").iterdir()
    yield file
    remembered._folder = before


def test_the_same_circumstances_recall_it(kept: Path, found: Capabilities) -> None:
    assert remembered.recall(BOOT) == found
    assert remembered.recall("another-boot") is None
    remembered.forget()
    assert remembered.recall(BOOT) is None


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_file_others_can_touch_is_not_believed(kept: Path, mode: int) -> None:
    kept.chmod(mode)
    assert remembered.recall(BOOT) is None


def test_a_folder_others_can_touch_is_not_believed(kept: Path) -> None:
    kept.parent.chmod(0o777)
    assert remembered.recall(BOOT) is None


def test_a_link_is_not_followed(kept: Path, tmp_path: Path) -> None:
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    assert remembered.recall(BOOT) is None


@pytest.mark.parametrize("spoil", ["fingerprint", "report", "more", "text", "list"])
def test_a_spoilt_file_reads_as_nothing(kept: Path, spoil: str) -> None:
    told = json.loads(kept.read_text())
    if spoil == "fingerprint":
        told["fingerprint"][2] = "other code"
    elif spoil == "report":
        del told["report"]["seccomp"]
    elif spoil == "more":
        told["report"]["walls"] = 0
    kept.write_text({"text": "no JSON", "list": "[]"}.get(spoil) or json.dumps(told))
    assert remembered.recall(BOOT) is None


def test_the_circumstances_name_rights_and_code(kept: Path) -> None:
    told = " ".join(remembered._fingerprint(BOOT))
    for part in ("CapEff", "NoNewPrivs", "Seccomp:", "user ", "mnt ", BOOT):
        assert part in told
    assert str(json.loads(kept.read_text())["report"]["landlock"]) != "0"
