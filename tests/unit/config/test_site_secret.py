"""The site's secret: one, made once, nobody else's to read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shudu.config.site_secret import secret_key


def test_it_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    first = secret_key(keys)
    assert len(first) >= 64
    assert secret_key(keys) == first
    assert keys.stat().st_mode & 0o777 == 0o700
    assert (keys / "site.secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in keys.iterdir()] == ["site.secret"]
    assert secret_key(tmp_path / "others") != first


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret_key(tmp_path)
    (tmp_path / "site.secret").chmod(0o644)
    with pytest.raises(SystemExit, match="chmod 600"):
        secret_key(tmp_path)


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from shudu.config import site_secret as s; print(s.secret_key(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "keys")]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert len({process.communicate(timeout=30)[0] for process in racing}) == 1
