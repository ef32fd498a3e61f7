"""Where options come from, and that each is written down."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from shudu.config.options import Options, load

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in fields(Options):
        monkeypatch.delenv(f"SHUDU_{field.name.upper()}", raising=False)


def test_every_option_has_a_default_that_works(tmp_path: Path) -> None:
    options = load(tmp_path / "home")
    assert options.home == tmp_path / "home"
    assert options.keys == tmp_path / "home.keys"
    assert all(field.default is not MISSING for field in fields(Options) if field.name not in ("home", "keys"))


def test_the_file_is_read_and_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shudu.toml").write_text('port = 8100\nlease_seconds = 2.5\nlanguage = "zh"\n', "utf-8")
    options = load(tmp_path)
    assert (options.port, options.lease_seconds, options.language) == (8100, 2.5, "zh")
    monkeypatch.setenv("SHUDU_PORT", "8200")
    monkeypatch.setenv("SHUDU_KEYS", str(tmp_path.parent / "elsewhere"))
    options = load(tmp_path)
    assert (options.port, options.lease_seconds, options.keys) == (8200, 2.5, tmp_path.parent / "elsewhere")


def test_the_home_comes_from_the_environment_or_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUDU_HOME", str(tmp_path / "named"))
    assert load().home == tmp_path / "named"
    monkeypatch.delenv("SHUDU_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load().home == tmp_path / ".shudu"


def test_keys_inside_the_home_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUDU_KEYS", str(tmp_path / "keys"))
    with pytest.raises(SystemExit, match="must not lie in the home"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 8100", "prot"),
        ("port = ", "shudu.toml"),
        ('port = "eight"', "port"),
        ("lease_seconds = true", "lease_seconds"),
        ("lease_seconds = 0", "lease_seconds"),
        ("lease_seconds = nan", "lease_seconds"),
        ("lease_seconds = inf", "lease_seconds"),
        ("max_upload_mb = 0", "max_upload_mb"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "shudu.toml").write_text(text, "utf-8")
    with pytest.raises(SystemExit) as refusal:
        load(tmp_path)
    assert said in str(refusal.value)


def test_each_option_is_documented_with_its_default() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (`[^|`]*`|empty) \| .+ \|$", page, re.MULTILINE))
    for field in fields(Options):
        assert field.name in rows, f"docs/operations.md says nothing of {field.name}"
        if field.default is not MISSING:
            assert rows[field.name] == (f"`{field.default}`" if field.default != "" else "empty"), field.name
    assert set(rows) == {field.name for field in fields(Options)}, "docs/operations.md names an option there is not"
