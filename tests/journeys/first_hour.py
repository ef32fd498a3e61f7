"""Reads docs/first-hour.md and does, in a browser, what each row of its table says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journeys.browser import ROOT, Reader

PAGE = ROOT / "docs" / "first-hour.md"
COMMAND = re.compile(r"```sh\n(.*?)\n```", re.DOTALL)
SECONDS = 60_000


@dataclass(frozen=True)
class Step:
    """One row: who, where, what is filled in and pressed, what is then to be seen (a file, if it has an ending)."""

    who: str
    place: str
    fields: tuple[str, ...]
    press: str
    see: str


def steps(heading: str) -> list[Step]:
    """The rows under a heading."""
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return [
        Step(who, place.strip("`"), tuple(re.split("[;；] *", fields)), *rest) for who, place, fields, *rest in rows[2:]
    ]


def commands() -> list[str]:
    """What is to be pasted into a shell."""
    return COMMAND.findall(PAGE.read_text("utf-8"))


def do(reader: Reader, step: Step, folder: Path) -> None:
    """Do one row and see what it promises."""
    if step.place.startswith("/"):
        reader.go(step.place)
    for field in filter(None, step.fields):
        label, _, value = field.partition(" = ")
        _fill(reader.page.locator("main").get_by_label(label, exact=True), value, folder)
    name, _, about = step.press.partition(" № ")
    page = reader.page.locator("main")
    place = page.locator(".receipt", has_text=about) if about else page
    target = place.get_by_role("button", name=name).or_(place.get_by_role("link", name=name)).first
    if "." in step.see:
        with reader.page.expect_download() as coming:
            target.click()
        coming.value.save_as(folder / step.see)
        return
    target.click()
    page.get_by_text(step.see).first.wait_for(timeout=SECONDS)


def _fill(field: Any, value: str, folder: Path) -> None:
    kind = field.evaluate("one => one.tagName === 'SELECT' ? 'select' : one.type")
    if kind == "file":
        field.set_input_files(ROOT / value if "/" in value else folder / value)
    elif kind == "select":
        field.select_option(label=value)
    elif kind == "checkbox":
        field.check()
    else:
        field.fill(value)
