"""`--help` says everything in both languages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.main import get_command

from shudu.cli import helping
from shudu.cli.main import app


def test_every_help_text_has_its_chinese_and_none_is_left_over() -> None:
    said = {helping.words(one.help) for one in helping.described(get_command(app))}
    told = helping.chinese()
    assert sorted(said - set(told)) == [], "add these to src/shudu/cli/help.zh.json"
    assert sorted(set(told) - said) == [], "no command says this any more: take it out of src/shudu/cli/help.zh.json"
    assert all(any("一" <= sign <= "鿿" for sign in text) or "auc" in text or "GB" in text for text in told.values())


@pytest.mark.parametrize(("language", "heading", "told"), [("zh", "选项", "任务的编号"), ("en", "Options", "Run id")])
def test_help_is_in_the_readers_language(language: str, heading: str, told: str) -> None:
    command = [sys.executable, "-m", "shudu.cli", "runs", "show", "--help"]
    spoken = {**os.environ, "SHUDU_LANGUAGE": language, "PYTHONUTF8": "1"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=spoken).stdout
    assert heading in shown
    assert told in shown
