"""What readers of cells have in common: find the layout in the first rows, then put every row in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import pyarrow as pa

from shudu.policy.types import Invalid, Text

from .. import calendars, layout
from ..layout import Layout
from ..recipe import NO_HEADER, PLACED, ColumnRecipe, Note, Recipe
from ..units import Cells
from .port import Batcher, Finish, Request

Row = tuple[int, Cells | Invalid, Cells]
"""The row's number, its cells or what is wrong with it, and its cells as far as they could be told."""


class Grid:
    """Rows of cells as a reader: `rows` yields them from the first of the file on; `ragged` refuses short rows."""

    def __init__(
        self,
        request: Request,
        recipe: Recipe,
        rows: Iterator[Row],
        *,
        spans: Sequence[tuple[int, int, int, int]] = (),
        notes: Sequence[Note] = (),
        ragged: bool = False,
    ) -> None:
        self._request, self._recipe, self._rows = request, recipe, rows
        self._spans, self._notes, self._ragged = spans, list(notes), ragged
        self._layout: Layout | None = None
        self._strange: set[tuple[int, str]] = set()

    @property
    def types(self) -> Sequence[pa.DataType]:
        return [pa.string()] * len(self._known.names)

    @property
    def _known(self) -> Layout:
        if self._layout is None:
            raise RuntimeError("understand first")
        return self._layout

    def understand(self) -> tuple[Recipe, tuple[Note, ...]]:
        first = list(islice(self._rows, layout.LOOK_AHEAD))
        tolerant = self._request.reading.tolerant
        wrong = {number: cells for number, cells, _ in first if isinstance(cells, Invalid)}
        seen: list[tuple[int, Cells]] = []
        for number, cells, raw in first:
            if not isinstance(cells, Invalid):
                seen.append((number, cells))
            elif _is_of_a_cell(cells):
                seen.append((number, _whole(raw, cells)))
        told = self._request.reading.recipe.header_rows
        filled = dict(seen)
        if told == NO_HEADER and any(any(cells) for _, cells in seen):
            found = layout.without_header(filled, ragged=self._ragged)
        elif told and told != NO_HEADER:
            found = layout.settle(told, filled, list(filled), self._spans, tolerant=tolerant, ragged=self._ragged)
        elif not any(any(cells) for _, cells in seen):
            raise next(iter(wrong.values()), _empty())
        else:
            found = layout.find(seen, self._spans, tolerant=tolerant, ragged=self._ragged)
        if spoiled := next((wrong[row] for row in found.header_rows if row in wrong), None):
            raise spoiled
        self._layout = found
        self._notes += found.notes
        self._rows = chain((row for row in first if row[0] >= found.first), self._rows)
        columns = tuple(
            ColumnRecipe(source=source[:200], name=name, unit=unit)
            for source, name, unit in zip(found.sources, found.names, found.units, strict=True)
        )
        recipe = self._recipe.model_copy(update={"header_rows": found.header_rows, "columns": columns})
        return recipe, tuple(self._notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        known, limit = self._known, self._request.limit
        batcher, taken = Batcher(len(known.names)), 0
        for number, cells, raw in self._rows:
            problem = self._wrong(cells, raw) if isinstance(cells, Invalid) else self._problem(number, cells)
            if problem is not None:
                # A row of sums or a note is no fault of the file; it is put aside in words either way.
                if not self._request.reading.tolerant and not problem.code.startswith("row.aside"):
                    raise problem
                batcher.reject(problem, self._aside(problem, raw or (() if isinstance(cells, Invalid) else cells)))
            else:
                assert not isinstance(cells, Invalid)
                if not cells:
                    continue
                batcher.add(number, self._placed(cells))
            taken += 1
            if batcher.ready():
                yield batcher.take()
            if limit is not None and taken >= limit:
                break
        if len(batcher):
            yield batcher.take()

    def finish(self) -> Finish:
        names = self._known.names
        return Finish(tuple(calendars.note(code, names[position]) for position, code in sorted(self._strange)))

    def _placed(self, cells: Cells) -> list[str | None]:
        length = len(cells)
        placed = [(cells[position] or None) if position < length else None for position in self._known.kept]
        for position, cell in enumerate(placed):
            if cell and (code := calendars.strange(cell)):
                self._strange.add((position, code))
        return placed

    def _aside(self, problem: Invalid, cells: Cells) -> Cells:
        """The cells of a wrong row in the order of the columns, and then those that have none."""
        if problem.code not in PLACED and not _is_of_a_cell(problem):
            return cells
        kept = self._known.kept
        more = [cell for at, cell in enumerate(cells) if cell and at not in kept]
        return [*(cells[at] if at < len(cells) else None for at in kept), *more]

    def _wrong(self, problem: Invalid, cells: Cells) -> Invalid:
        """What is wrong with a row, told by the name of its column; a row of totals is none whose sums matter."""
        if not _is_of_a_cell(problem):
            return problem
        row, column = int(problem.where["row"]), int(problem.where["column"])
        known = self._known
        if passed_over := self._no_data(row, cells):
            return passed_over
        name = known.names[known.kept.index(column - 1)] if column - 1 in known.kept else column
        return Invalid(problem.code, problem.message, problem.remedy, {"row": row, "column": name})

    def _no_data(self, number: int, cells: Cells) -> Invalid | None:
        first = next((cell for cell in cells if cell), "")
        if first and len(first) <= 14 and not self._request.reading.recipe.keep_totals and layout.is_total(cells):
            kept = Text(
                "如果它是数据，请在配方中写明合计行也收入（keep_totals）。",
                "If it is data, say in the recipe that rows of totals are taken (keep_totals).",
            )
            return aside("total", "合计行", "a row of totals", number, kept)
        if first and len(first) <= 500 and layout.is_note(cells, self._known.width):
            return aside("note", "表下的说明", "a note below the table", number)
        return None

    def _problem(self, number: int, cells: Cells) -> Invalid | None:
        if passed_over := self._no_data(number, cells):
            return passed_over
        if not any(cells):
            return None
        known = self._known
        there = len(cells)
        if there > known.width and (self._ragged or any(cells[known.width :])):
            return wrong_width(number, there, known.width)
        if self._ragged and there < known.width:
            return wrong_width(number, there, known.width)
        return None


def _is_of_a_cell(problem: Invalid) -> bool:
    """Is it one cell that is wrong, of a row that is told apart?"""
    return problem.code in ("row.formula", "row.value")


def _whole(cells: Cells, problem: Invalid) -> Cells:
    """The cells of a row, with something where one is wrong: it may well be the header or a title."""
    at = int(problem.where["column"]) - 1
    return [*cells[:at], cells[at] or "=", *cells[at + 1 :]] if at < len(cells) else cells


CHANGE = Text("如果它是数据，请改动这一行开头的文字。", "If it is data, change the words it begins with.")


def aside(kind: str, zh: str, en: str, row: int, remedy: Text = CHANGE) -> Invalid:
    return Invalid(
        f"row.aside.{kind}",
        Text(f"第 {row} 行是{zh}，不是数据，没有收入表中。", f"Row {row} is {en}, no data: it was left out."),
        remedy,
        {"row": row},
    )


def wrong_width(row: int, there: int, width: int) -> Invalid:
    return Invalid(
        "row.width",
        Text(
            f"第 {row} 行有 {there} 个单元格，应有 {width} 个。", f"Row {row} has {there} cells; {width} belong there."
        ),
        Text(
            "请补齐或删去多余的单元格；含分隔符的内容须加双引号。",
            "Add or remove cells; a cell that holds the separator needs double quotes.",
        ),
        {"row": row, "column": min(there, width) + 1},
    )


def _empty() -> Invalid:
    return Invalid(
        "publish.empty",
        Text("文件没有数据。", "The file holds no data."),
        Text("请核对文件后再试。", "Check the file and try again."),
    )
