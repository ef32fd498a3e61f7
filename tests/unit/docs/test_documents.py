"""What the documents say is true: links lead somewhere, commands exist, both languages say the same."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

ROOT = Path(__file__).parents[3]


def tracked() -> list[Path]:
    """Files that are or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


FILES = tracked()
PAGES = [path for path in FILES if path.suffix == ".md"]
FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The fragments a page's headings answer to, as forges make them."""
    headings = re.findall(r"^#+ +(.*)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text("utf-8")))
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, fragment = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in anchors(file)):
            wrong.append(target)
    assert wrong == []


def commands(page: Path) -> list[str]:
    """The command lines of a page's `sh` blocks: comments gone, continued lines joined, prompts refused."""
    lines: list[str] = []
    for language, block in FENCED.findall(page.read_text("utf-8")):
        if language in ("sh", "bash", "shell", "console"):
            assert language == "sh", f"{name(page)}: fence commands as sh, not {language}"
            joined = re.sub(r"\\\n\s*", " ", block)
            said = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
            lines += [line for line in said if line]
    return lines


def test_both_readmes_have_the_same_commands() -> None:
    english, chinese = (commands(ROOT / f"README{language}.md") for language in ("", ".zh-CN"))
    assert english
    assert english == chinese


def test_the_readme_names_the_two_commands() -> None:
    assert {"make run", "make test"} <= set(commands(ROOT / "README.md"))


def shudu_commands() -> list[tuple[str, str]]:
    """(page, words after `shudu`) wherever a page shows such a command."""
    found = []
    for page in PAGES:
        for line in commands(page):
            for part in re.split(r"&&|\|\||[|;]|\$\(|\)", line):
                words = part.strip().removeprefix(".venv/bin/")
                if words.startswith("shudu "):
                    found.append((name(page), words.removeprefix("shudu ")))
    return found


def complaint(text: str) -> str:
    """What is wrong with a `shudu` command, or nothing: each word must be a command or an option it has."""
    from shudu.cli.main import app

    command: Any = get_command(app)
    waiting = 0
    for word in shlex.split(text):
        subcommands = getattr(command, "commands", {})
        if waiting:
            waiting -= 1
        elif word.startswith("-") and word != "-":
            option, _, value = word.partition("=")
            known = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
            if option not in known and option != "--help":
                return f"{command.name} has no option {option}; it has {sorted(known)}"
            if option in known and not known[option].is_flag and not value:
                waiting = known[option].nargs
        elif subcommands:
            if word not in subcommands:
                return f"{command.name} has no command {word}; it has {sorted(subcommands)}"
            command = subcommands[word]
    return f"{text!r} stops at a group of commands" if getattr(command, "commands", {}) else ""


def test_every_command_shown_is_one_there_is() -> None:
    shown = shudu_commands()
    assert shown
    assert [f"{page}: {wrong}" for page, text in shown if (wrong := complaint(text))] == []


def test_the_check_of_commands_sees_what_is_wrong() -> None:
    assert complaint("serve --prot 8000")
    assert complaint("serves")
    assert complaint("orgs")
    assert not complaint("serve --port 8000 --home here")


# Written so that this file does not match itself.
REGISTRIES = re.compile(
    r"py[p]i\.org|python[h]osted|registry\.n[p]mjs|n[p]mmirror|(?:deb|security)\.de[b]ian\.org|tu[n]a\."
    r"|\"resolved\": *\"http|--(?:extra-)?index[-]url"
)
MACHINE_PATHS = re.compile(r"(?<![\w.~/-])/(?:roo[t]|wor[k]|far[m]|hom[e]/\w+|User[s]/\w+)/")


def readable(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registries", "machines"])
def test_no_file_names_a_registry_or_a_machine(pattern: re.Pattern[str]) -> None:
    wrong = [
        f"{name(path)}:{number}: {line.strip()[:100]}"
        for path in FILES
        if pattern.search(text := readable(path))
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert wrong == []


def test_pages_that_every_reader_looks_for_are_there() -> None:
    wanted = ["README.md", "README.zh-CN.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "docs/operations.md"]
    wanted += ["docs/tour.md", "docs/glossary.md", "docs/threat-model.md", "docs/decisions"]
    assert [path for path in wanted if not (ROOT / path).exists()] == []
