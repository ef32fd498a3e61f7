"""Other parties' ids on the command line, too: whoever acts for a stranger learns nothing from any command.

The commands are found by the command line itself, so a new one that takes an id is tried as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.conf import settings
from typer.main import get_command

from shudu.cli import house
from shudu.cli.main import app
from shudu.policy import ids
from shudu.policy.models import Outbox

from .conftest import TABLE, Market
from .test_doors import commands

NOUNS = {"asset", "version", "offer", "order", "agreement", "run", "result", "token", "upload", "batch", "sender_key"}
OPTIONS = {"data": "asset", "model": "model"}  # options that name an asset
# What else these commands cannot do without; FILE is one that is there.
FILLED = {
    "opinion": "可",
    "title": "客户",
    "reason": "breach",
    "purpose": "research",
    "basis": "consent",
    "cycle": "4",
    "count": "1",
    "until": "2099-12-31",
    "price": "1",
    "split": "provider=60,modeller=30,platform=10",
    "group_by": "contract",
    "buyer": "STRANGER",
    "file": "FILE",
    "output": "FILE.csv",
}


def words(name: str) -> list[tuple[str, str]] | None:
    """A command's parameters to give, as (option or "", what); None for a command that names nothing of anybody."""
    found, named = [], False
    for one in LEAVES[name].params:
        noun = OPTIONS.get(one.name, one.name if one.name in NOUNS else None)
        if noun and one.param_type_name == ("option" if one.name in OPTIONS else "argument"):
            named = True
            found.append(("" if one.param_type_name == "argument" else one.opts[0], f"{{{noun}}}"))
        elif one.name in FILLED and (one.required or one.name == "group_by"):
            found.append(("" if one.param_type_name == "argument" else one.opts[0], FILLED[one.name]))
    return found if named else None


def leaves(node: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    if not hasattr(node, "commands"):
        return {" ".join(path): node}
    return {name: leaf for key, one in node.commands.items() for name, leaf in leaves(one, (*path, key)).items()}


COMMAND = get_command(app)  # made once: it takes a fifth of a second
LEAVES = leaves(COMMAND)
NAMING = sorted(name for name in LEAVES if words(name))
# Organisations are in a register open to all; what is theirs is not.
PARTYS_OWN = [
    "accounts show {party}",
    "tokens create {party}",
    "tokens list {party}",
    "accounts deposit {party} --yuan 5",
]


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Commands in this process, on the rows the tests have open."""
    monkeypatch.setattr(house, "open_home", lambda home: settings.OPTIONS)
    monkeypatch.setenv("SHUDU_LANGUAGE", "en")

    def run(*typed: str) -> tuple[int, str]:
        answer = CliRunner().invoke(COMMAND, list(typed))
        assert not answer.exception or isinstance(answer.exception, SystemExit), answer.exception
        return answer.exit_code, answer.output

    return run


def test_the_commands_that_name_something_are_those_of_the_table() -> None:
    assert len(NAMING) >= 24
    assert {name for name, _ in commands(get_command(app))} == set(LEAVES)


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
@pytest.mark.parametrize("name", NAMING)
def test_a_stranger_learns_nothing(
    kept: Market, db: None, console: Callable[..., tuple[int, str]], tmp_path: Path, name: str, as_json: bool
) -> None:
    file = tmp_path / "some.json"
    file.write_text("{}")
    hidden = {
        **kept.ids,
        "asset": kept.ids["hidden_asset"],
        "version": kept.ids["hidden_version"],
        "offer": kept.ids["draft"],
        "model": kept.ids["hidden_model"],
    }
    missing = {noun: ids.new("asset" if noun in ("result", "model") else noun) for noun in {*NOUNS, "model"}}
    before, answers = Outbox.objects.count(), []
    for known in (hidden, missing):
        given = name.split()
        for option, what in words(name) or []:
            value = what.replace("FILE", str(file)).replace("STRANGER", kept.stranger.party)
            given += [option] * bool(option) + [value.format(**known)]
        code, told = console(*given, "--as", kept.stranger.party, *["--json"] * as_json)
        for noun in {*NOUNS, "model"}:
            told = told.replace(known[noun], noun)
        answers.append((code, told))
        assert code == 1, told
        assert ("not_found" if not as_json else json.loads(told)["error"]["code"]) in told
    there, gone = answers
    assert there == gone
    assert "not_found" in there[1]
    assert Outbox.objects.count() == before


@pytest.mark.parametrize("command", PARTYS_OWN)
def test_what_is_a_partys_own_is_refused_to_another(
    kept: Market, db: None, console: Callable[..., tuple[int, str]], command: str
) -> None:
    before = Outbox.objects.count()
    code, told = console(*command.format(party=kept.provider.party).split(), "--as", kept.stranger.party)
    assert (code, Outbox.objects.count()) == (1, before), told


@pytest.mark.parametrize("group", ["publish", "models publish"])
def test_nobody_publishes_in_anothers_name(
    kept: Market, db: None, console: Callable[..., tuple[int, str]], tmp_path: Path, group: str
) -> None:
    file = tmp_path / "customers.csv"
    file.write_bytes(TABLE)
    before = Outbox.objects.count()
    more = ["--inputs", "tenure"] if group == "models publish" else []
    code, told = console(*group.split(), str(file), "--owner", kept.provider.party, *more, "--as", kept.stranger.party)
    assert (code, "console.two_parties" in told, Outbox.objects.count()) == (1, True, before)
