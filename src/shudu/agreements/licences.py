"""What was bought is offered only as far as its own licence goes: the scope and the end it was bought with.

Which licences a version's rows came under an upper room knows, which registers it here; of several all hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from shudu.policy.types import Decision, Text


@dataclass(frozen=True, slots=True)
class Licence:
    """May rows be handed on, may results be made of them, and until which day."""

    may_share: bool
    may_derive: bool
    until: date


Find = Callable[[str], Sequence[Licence]]
_finders: list[Find] = []


def register_licences(find: Find) -> None:
    """Let a room say which licences the rows of a version came under. Call it in `ready`."""
    _finders.append(find)


def licensed(version: str, *, rows_leave: bool, until: date, to_owner: bool) -> Decision:
    """Do all licences behind a version permit an offer of its rows (`rows_leave`), or of results, until this day?

    When they end is told `to_owner` only: it is between that party and its supplier, and a modeller drafts with the
    table too.
    """
    found = [licence for find in _finders for licence in find(version)]
    if not all(licence.may_share if rows_leave else licence.may_derive for licence in found):
        what = Text("转交其中的行", "handing its rows on") if rows_leave else Text("加工使用", "making results of it")
        return _deny(
            Text(
                f"其中有购入的数据，采购许可不允许{what.zh}。",
                f"Part of it was bought, and its licence rules out {what.en}.",
            ),
            Text(
                "请与供应商另行约定，或改用不含该批数据的版本。",
                "Agree on more with the supplier, or use a version without it.",
            ),
        )
    if found and until > (end := min(licence.until for licence in found)):
        if to_owner:
            return _deny(
                Text(
                    f"其中有购入的数据，采购许可 {end} 到期，上架不能长于它。",
                    f"Part of it was bought under a licence that ends on {end}; an offer cannot outlast it.",
                ),
                Text("请把截止日期提前到许可到期之前。", "Choose an earlier last day."),
            )
        return _deny(
            Text(
                "其中有购入的数据，其采购许可到不了所填的截止日期。",
                "Part of it was bought, and its licence does not last until that day.",
            ),
            Text("请把截止日期提前，或询问数据提供方。", "Choose an earlier last day, or ask the data's owner."),
        )
    return Decision.allow("offer.licence", Text("采购许可允许。", "No licence it was bought under rules it out."))


def _deny(message: Text, remedy: Text) -> Decision:
    return Decision.deny("offer.licence", message, remedy)
