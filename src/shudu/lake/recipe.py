"""What was understood of a file, as a small versioned value: shown, corrected, kept, replayed on the next delivery."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shudu.policy.types import Text

# Reasons with which a row's cells are handed over in the order of the columns, with what is too many at the end.
PLACED = ("row.width", "row.digits", "row.formula")
NO_HEADER = (0,)
Rows = Annotated[int, Field(ge=0, le=1_000_000)]
Short = Annotated[str, Field(max_length=200)]


class ColumnRecipe(BaseModel):
    """One column: `source` is what the file calls it, `name` what the table does.

    `type` is an engine type, or None to let the values decide; `spelling` names how values are written (`spellings`),
    empty for plainly; `nulls` are the texts that mean nothing here. `unit` is what a header such as 金额（万元） says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Short
    name: Short
    type: Annotated[str, Field(max_length=60)] | None = None
    spelling: Annotated[str, Field(max_length=40)] = ""
    unit: Annotated[str, Field(max_length=40)] = ""
    nulls: tuple[Short, ...] = ()


class Recipe(BaseModel):
    """How to read a file. Every field that is empty is found out from the file.

    `member` is a file inside a ZIP; `table` a sheet, a table or a layer; `header_rows` counts the file's rows from 1,
    a 0 alone says that there is no header; `crs` is the coordinate system of geometry, and `moved_from` the one it was
    converted from; with `keep_totals` rows of sums are data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: Literal["shudu-recipe/1"] = "shudu-recipe/1"
    format: Annotated[str, Field(max_length=20)] = ""
    member: Annotated[str, Field(max_length=500)] = ""
    table: Short = ""
    encoding: Annotated[str, Field(max_length=20)] = ""
    delimiter: Annotated[str, Field(max_length=1)] = ""
    header_rows: tuple[Rows, ...] = ()
    columns: Annotated[tuple[ColumnRecipe, ...], Field(max_length=1_000)] = ()
    crs: Annotated[str, Field(max_length=40)] = ""
    moved_from: Annotated[str, Field(max_length=40)] = ""
    keep_totals: bool = False

    @property
    def empty(self) -> bool:
        """Does it say nothing?"""
        return self == Recipe()


class Reading(BaseModel):
    """What a publisher says about reading a file: its recipe or a part of one, and what to do with rows that are wrong.

    Strict stops at the first wrong row; tolerant puts it aside, with what would mend it, and goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheet: Short = ""
    tolerant: bool = False
    recipe: Recipe = Recipe()

    @property
    def table(self) -> str:
        return self.sheet or self.recipe.table


Names = Annotated[tuple[Short, ...], Field(max_length=1_000)]


class Evolution(BaseModel):
    """How a version's columns differ from those of the one before, as its publisher declares; nothing is guessed.

    `add` and `drop` name columns, `rename` says old name: new name, `retype` old name: wider engine type.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    add: Names = ()
    drop: Names = ()
    rename: Annotated[dict[Short, Short], Field(max_length=1_000)] = {}
    retype: Annotated[dict[Short, Annotated[str, Field(max_length=60)]], Field(max_length=1_000)] = {}

    @property
    def empty(self) -> bool:
        """Do the columns stay as they are?"""
        return self == Evolution()


class Note(BaseModel):
    """Something worth knowing about how a file was read, in words; `where` names rows and columns, never a value."""

    model_config = ConfigDict(frozen=True)

    code: str
    zh: str
    en: str
    where: dict[str, Any] = {}

    @classmethod
    def of(cls, code: str, text: Text, **where: Any) -> Note:
        return cls(code=code, zh=text.zh, en=text.en, where=where)


class Fault(BaseModel):
    """What is wrong with a row: in which column ("" for the row as a whole), and what would mend it. Never a value."""

    model_config = ConfigDict(frozen=True)

    column: str = ""
    code: str
    zh: str
    en: str
    remedy_zh: str = ""
    remedy_en: str = ""


class Aside(BaseModel):
    """Rows that would be put aside for one reason: how many, the first of them, what would mend it. Never a value."""

    code: str
    column: str = ""
    rows: int
    first: int
    zh: str
    en: str
    remedy_zh: str = ""
    remedy_en: str = ""


class Understood(BaseModel):
    """A file as it was understood, before anything is stored; `sample` holds its first rows, for its owner's eyes.

    `aside` counts what a tolerant reading would put aside of the `rows` that were looked at, which are all of the file
    when it is `whole`. The types of the columns in `fixed` are the format's own and cannot be corrected.
    """

    recipe: Recipe
    notes: tuple[Note, ...] = ()
    sample: tuple[tuple[str | None, ...], ...] = ()
    rows: int = 0
    whole: bool = True
    aside: tuple[Aside, ...] = ()
    fixed: tuple[str, ...] = ()


class Report(BaseModel):
    """What became of a file's rows: `rows_in` = `rows_out` + `rejected`. `reasons` counts the rejected by code."""

    rows_in: int
    rows_out: int
    rejected: int = 0
    reasons: dict[str, int] = {}
    notes: tuple[Note, ...] = ()
