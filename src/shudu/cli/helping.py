"""The help of every command, in the reader's language.

Commands say in English what they do, where they stand. `help.zh.json` says the same in Chinese, by the English words; a
test holds it complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import rich_utils

from .session import language

PANELS = {
    "ARGUMENTS_PANEL_TITLE": "参数",
    "OPTIONS_PANEL_TITLE": "选项",
    "COMMANDS_PANEL_TITLE": "命令",
    "DEFAULT_STRING": "[默认：{}]",
    "REQUIRED_LONG_STRING": "[必填]",
}


def translated(command: Any) -> Any:
    """The command line as it is, with its help in Chinese where the reader's language is Chinese."""
    if language() == "zh":
        told = chinese()
        for one in described(command):
            one.help = told.get(words(one.help), one.help)
        for name, title in PANELS.items():
            setattr(rich_utils, name, title)
    return command


def chinese() -> dict[str, str]:
    """English → Chinese."""
    found: dict[str, str] = json.loads(Path(__file__).with_name("help.zh.json").read_text("utf-8"))
    return found


def described(command: Any) -> Iterator[Any]:
    """Everything with a help text: the command, its parameters, `--help` itself, and the commands below it."""
    own = [command, *command.params, command.get_help_option(command.context_class(command))]
    yield from (one for one in own if getattr(one, "help", None))
    for below in getattr(command, "commands", {}).values():
        yield from described(below)


def words(text: str) -> str:
    """A help text on one line."""
    return " ".join(text.split())
