"""Rows that were put aside come back corrected: looked at again, added as a new version, or left out for a reason.

What is open is what was rejected, less what is settled. What a list said of a row that still does not fit is kept in a
file of the correction (sealed where the version is), so that the next list shows it; a row of the database never holds
a value of anyone's table.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from django.db import transaction

from shudu.cases import actions as cases
from shudu.lake import queries as lake
from shudu.lake.types import EVERYTHING, PLACED, Fault, Place, Reading, Recipe, StoredFile
from shudu.policy import ids, plain_text
from shudu.policy.actions import part_of_action
from shudu.policy.types import Actor, Conflict, Text

from . import carrying, levels, queries, updating
from .corrections import MOST, SHEET, Answer, CorrectionList, Open, opened_rows, read, untouched
from .models import Correction, SettledRow, Version
from .procedures import CORRECTION
from .types import Corrected, Mode, PublishVersion

_FILE = "open.json"
_BLANK = Fault(
    code="row.blank",
    zh="这一行还没有填。",
    en="The row is not filled in yet.",
    remedy_zh="请填写各列，或注明不收录。",
    remedy_en="Fill in the columns, or leave the row out with a reason.",
)


@part_of_action
def open_correction(version: Version) -> Correction | None:
    """Open the case of a version's rejected rows, if it has any: rows of totals and notes are none."""
    report = version.report
    reasons = report.get("reasons", {}).items()
    wrong = report.get("rejected", 0) - sum(count for code, count in reasons if code.startswith("row.aside"))
    if wrong <= 0 or not version.side_files:
        return None
    cases.open_case(CORRECTION, version.id, version.owner)
    return Correction.objects.create(
        version=version,
        owner=version.owner,
        asset=version.binding.asset,
        secret=secrets.token_hex(32),
        rows=wrong,
        open=wrong,
    )


@part_of_action
def forget(version: Version, actor: Actor) -> Callable[[], None] | None:
    """With a version goes what was said of its rows; returns what removes the files once that has committed."""
    row = Correction.objects.filter(version=version).first()
    if row is None:
        return None
    where = place_of(row)
    if row.open:
        cases.advance(version.id, "erase", actor, procedure=CORRECTION.name)
    row.settled.exclude(reason="").update(reason="")
    Correction.objects.filter(pk=row.pk).update(open=0, files=[], place="", secret="")
    return (lambda: lake.store().erase(where)) if where else None


def place_of(row: Correction) -> Place | None:
    """Where the correction's own file lies, if it has one."""
    return Place(row.owner, row.asset_id, row.place) if row.place else None


def list_of(row: Correction, codes: Mapping[str, tuple[str, ...]]) -> CorrectionList:
    """The columns and the keys of its lists."""
    columns = Recipe(**row.version.recipe).columns
    return CorrectionList(row.version_id, bytes.fromhex(row.secret), columns, codes)


def open_rows(row: Correction) -> dict[int, Open]:
    """What is still to be done, by row, as the last list left it."""
    if not row.open:
        return {}
    store, version = lake.store(), row.version
    side, place = StoredFile.from_json(version.side_files[0]), queries.place(version)
    width = len(version.recipe["columns"])
    found = opened_rows(store.read_table((side,), place, EVERYTHING).to_pylist(), width, PLACED)
    for number in row.settled.values_list("row", flat=True):
        found.pop(number, None)
    where = place_of(row)
    for file in row.files if where else ():
        assert where is not None
        for each in json.loads(store.read_file(StoredFile.from_json(file), where)):
            if each["row"] in found:
                found[each["row"]] = Open.from_json(each)
    return found


@dataclass(frozen=True, slots=True)
class Looked:
    """What a list that came back amounts to: rows to leave out, rows that pass, rows that still do not fit.

    `into` is the version that what passed was written as, `kept` the file of what the list said of the rest.
    """

    correction: Correction
    left: tuple[Answer, ...] = ()
    passed: tuple[int, ...] = ()
    failed: tuple[Open, ...] = ()
    known: int = 0
    into: updating.Prepared | None = None
    kept: tuple[Place, tuple[StoredFile, ...]] | None = None


def look(row: Correction, actor: Actor, sent: Corrected) -> Looked:
    """Read, recheck and write before the transaction opens: files no row knows are swept."""
    store = lake.store()
    sheet = store.sheet(sent.source, Reading(sheet=SHEET, recipe=Recipe(header_rows=(1,))), 2 * MOST)
    open_, list_ = open_rows(row), list_of(row, {})
    answers = read(list_, sheet.columns, sheet.rows)
    mine = {each.row: untouched(each, open_[each.row], list_.names) for each in answers if each.row in open_}
    left = {each.row: each for each in mine.values() if each.leave and _said(each.reason)}
    faults = {n: fault for n, each in mine.items() if n not in left and (fault := _unready(each))}
    asked = {n: each.cells for n, each in mine.items() if n not in left and n not in faults}
    into: updating.Prepared | None = None
    passed: tuple[int, ...] = ()
    if asked:
        base = _base(row)
        way = carrying.way(list_.columns, queries.table(row.version).columns, queries.table(base).columns)
        rows = {n: way.carried(cells) for n, cells in asked.items()}
        key = base.binding.entity_key or None
        found = store.recheck(rows, way.columns, key, queries.files(base), queries.place(base), EVERYTHING)
        faults |= {n: way.back(said) for n, said in found.items()}
        # What it says may stand in columns that were dropped since.
        faults |= {n: (_BLANK,) for n, cells in rows.items() if not any(cell.strip() for cell in cells)}
        passed = tuple(sorted(set(asked) - set(faults)))
        into = _land(row, actor, base, way, [rows[n] for n in passed]) if passed else None
    failed = tuple(
        replace(open_[number], cells=mine[number].cells, faults=said, more=mine[number].more)
        for number, said in sorted(faults.items())
    )
    looked = Looked(row, tuple(left.values()), passed, failed, len(answers) - len(mine), into)
    return replace(looked, kept=_keep(row, open_, looked))


def _base(row: Correction) -> Version:
    """The version that corrected rows are added to. Raises Conflict when there is none, or when it was not made of the
    one they were put aside from: then they would stand beside rows they have nothing to do with, or stand twice."""
    newest = queries.latest(row.asset_id)
    if newest is None:
        raise _no_version(row.asset_id)
    if row.replaced:
        raise _replaced(row.version, newest)
    return newest


def _said(reason: str) -> bool:
    try:
        return bool(plain_text.clean(reason))
    except ValueError:
        return False


def _unready(answer: Answer) -> tuple[Fault, ...] | None:
    """What keeps a row from even being looked at."""
    if answer.leave:
        return (
            Fault(
                code="row.leave",
                zh="不收录须写明理由。",
                en="Leaving a row out takes a reason.",
                remedy_zh="请在“不收录的理由”列写一句话（不含不可见字符）。",
                remedy_en="Write a sentence in the column for the reason, without invisible characters.",
            ),
        )
    if answer.more:
        return (
            Fault(
                code="row.width",
                zh="仍有没有对应列的单元格。",
                en="Some cells still belong to no column.",
                remedy_zh="请把多出的内容移到它所属的列，或清空。",
                remedy_en="Move what is too many into the column it belongs to, or clear it.",
            ),
        )
    return None if any(cell.strip() for cell in answer.cells) else (_BLANK,)


def _land(
    row: Correction, actor: Actor, base: Version, way: carrying.Way, rows: list[tuple[str, ...]]
) -> updating.Prepared:
    """Write the newest version with these rows added."""
    binding = updating.writable(actor, row.asset)
    with lake.store().as_file(rows, way.columns, way.empty) as (path, recipe):
        request = PublishVersion(
            asset=row.asset_id, source=path, mode=Mode.APPEND, expected=base.id, reading=Reading(recipe=recipe)
        )
        prepared = updating.write(row.asset, binding, request)
    # The next delivery is read as the ones before, not as this list was.
    return replace(prepared, stored=replace(prepared.stored, recipe=base.recipe))


def _keep(row: Correction, open_: Mapping[int, Open], looked: Looked) -> tuple[Place, tuple[StoredFile, ...]] | None:
    """Keep what the list said of rows that still do not fit, together with what earlier ones did."""
    gone = {*looked.passed, *(each.row for each in looked.left)}
    now = {**open_, **{each.row: each for each in looked.failed}}
    if all(open_[each.row] == each for each in looked.failed):
        return None
    kept = [each.to_json() for number, each in sorted(now.items()) if number not in gone]
    where = Place(row.owner, row.asset_id, ids.new("correction"))
    content = json.dumps(kept, ensure_ascii=False).encode()
    encrypted = levels.needs_encryption(row.asset.level)
    return where, lake.store().write_files({_FILE: content}, where, encrypted=encrypted)


@part_of_action
def settle(looked: Looked, into: str, actor: Actor) -> Correction:
    """Enter what a list amounts to. Raises Conflict `corrections.changed` when another one came first."""
    row = Correction.objects.select_for_update().get(pk=looked.correction.pk)
    if row.round != looked.correction.round:
        raise _changed(row.version_id)
    for number in looked.passed:
        SettledRow.objects.create(correction=row, row=number, outcome=SettledRow.Outcome.ADDED, into=into)
    for each in looked.left:
        reason = plain_text.clean(each.reason)
        SettledRow.objects.create(correction=row, row=each.row, outcome=SettledRow.Outcome.LEFT_OUT, reason=reason)
    row.open -= len(looked.passed) + len(looked.left)
    row.round += 1
    before = place_of(row)
    if looked.kept is not None:
        row.place, row.files = looked.kept[0].version, [file.to_json() for file in looked.kept[1]]
    elif not row.open:
        row.place, row.files = "", []
    after = place_of(row)
    if before is not None and before != after:
        # After the commit: a rollback must not lose it. A crash in between leaves it to the sweep.
        transaction.on_commit(lambda: lake.store().erase(before))
    row.save(update_fields=["open", "round", "place", "files"])
    cases.advance(row.version_id, "correct" if row.open else "finish", actor, procedure=CORRECTION.name)
    return row


def _no_version(asset_id: str) -> Conflict:
    return Conflict(
        "corrections.no_version",
        Text("没有可用的版本，改正的行无处可加。", "There is no live version to add the corrected rows to."),
        Text("请先发布新版本。", "Publish a new version first."),
        {"asset": asset_id},
    )


def _replaced(version: Version, newest: Version) -> Conflict:
    return Conflict(
        "corrections.replaced",
        Text(
            f"最新的第 {newest.number} 版不是由第 {version.number} 版接续而来（已整体替换、撤回或恢复了更早的版本），"
            "改正的行不能再加入；什么也没有改动。",
            f"Version {newest.number}, the newest, was not made of version {version.number}, which was replaced as a"
            " whole or withdrawn: its corrected rows are no longer added; nothing was changed.",
        ),
        Text(
            "这些行请在清单中注明不收录；仍缺的，追加到最新版本。",
            "Leave these rows out with a reason; append what is still missing to the newest version.",
        ),
        {"version": version.id, "newest": newest.id},
    )


def _changed(version_id: str) -> Conflict:
    return Conflict(
        "corrections.changed",
        Text("另一份清单刚刚交回，这一份没有处理。", "Another list has just come in; this one was not taken."),
        Text("请重新下载清单后再交。", "Download the list again and send that."),
        {"version": version_id},
    )
