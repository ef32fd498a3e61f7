"""What is wrong with how a command was written, in the reader's language, and what to do."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from typer.exceptions import TyperException

from shudu.policy.types import Text

from .session import language


def explain(error: TyperException, words: list[str]) -> int:
    """Say it on standard error (with `--json`, as one object on standard output); returns the exit code."""
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":  # the help itself
        show: Any = getattr(error, "show", print)
        show()
        return 2
    said = _said(error, kind)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "shudu"
    remedy = Text(f"请看 {path} --help。", f"See {path} --help.")
    if "--json" in words:
        told = {
            "code": "usage",
            "message": {"zh": said.zh, "en": said.en},
            "remedy": {"zh": remedy.zh, "en": remedy.en},
        }
        print(json.dumps({"error": told}, ensure_ascii=False))
    else:
        spoken = language()
        print(f"✗ {said.say(spoken)}\n  → {remedy.say(spoken)}\n  usage", file=sys.stderr)
    return int(getattr(error, "exit_code", 2))


def _said(error: TyperException, kind: str) -> Text:
    name = _name(error)
    match kind:
        case "NoSuchOption":
            return Text(f"没有选项 {name}。", f"There is no option {name}.")
        case "MissingParameter":
            return Text(f"缺少 {name}。", f"{name} is missing.")
        case "BadParameter":
            return _bad(error, name)
        case "BadOptionUsage":
            return Text(
                f"选项 {name} 的写法不对，可能缺少取值。", f"Option {name} is not written right; is its value missing?"
            )
    if str(error).startswith("No such command"):
        return Text("没有这条命令。", "There is no such command.")
    if "unexpected extra argument" in str(error):
        return Text("命令后面多了内容。", "There is more behind the command than it takes.")
    return Text("命令的写法不对。", "The command is not written right.")


def _bad(error: TyperException, name: str) -> Text:
    found = str(getattr(error, "message", error))
    span = re.search(r"in the range (\S+?)\.?$", found)
    zh, en = "的取值不可用", "has a value that cannot be used"
    if span:
        zh, en = f"须满足 {span[1]}", f"must satisfy {span[1]}"
    elif "valid integer" in found:
        zh, en = "须为整数", "is a whole number"
    return Text(f"{name} {zh}。", f"{name} {en}.")


def _name(error: TyperException) -> str:
    if option := getattr(error, "option_name", None):
        return str(option)
    param = getattr(error, "param", None)
    if param is None:
        return ""
    options = [one for one in getattr(param, "opts", []) if one.startswith("--")]
    return options[0] if options else str(getattr(param, "metavar", None) or param.name).upper()
