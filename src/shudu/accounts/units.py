"""What can be counted. A unit is a row here, never an `if` in the code."""

from __future__ import annotations

from dataclasses import dataclass

from shudu.policy.types import Invalid, Text

_NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Unit:
    """`transferable`: what is committed goes to others (money), else it is used up (a count).

    `refundable`: what is released is available again, else it counts as used. An amount is shown with `decimals` of
    its digits behind the point, between `before` and `after`.
    """

    code: str
    title: Text
    transferable: bool
    refundable: bool
    decimals: int = 0
    before: str = ""
    after: Text = _NOTHING


UNITS = {
    unit.code: unit
    for unit in (
        Unit("CNY.fen", Text("资金", "funds"), transferable=True, refundable=True, decimals=2, before="¥"),
        # Whoever has looked has looked: differential privacy composes, and nothing gives ε back.
        Unit(
            "epsilon.micro",
            Text("隐私预算", "privacy budget"),
            transferable=False,
            refundable=False,
            decimals=6,
            before="ε ",
        ),
        Unit("run", Text("计算次数", "runs"), transferable=False, refundable=True, after=Text(" 次", " run(s)")),
    )
}


def unit_of(code: str) -> Unit:
    """The unit with this code; `Invalid` for any other."""
    if code not in UNITS:
        raise Invalid(
            "accounts.unit",
            Text(f"没有计量单位“{code}”。", f"There is no unit “{code}”."),
            Text(f"可用单位：{'、'.join(UNITS)}。", f"Units are {', '.join(UNITS)}."),
        )
    return UNITS[code]


def spoken(amount: int, unit: Unit) -> Text:
    """An amount (not negative) as people read it: `¥1,012.50`, `3 次`."""
    whole, rest = divmod(amount, 10**unit.decimals)
    number = f"{whole:,}.{rest:0{unit.decimals}d}" if unit.decimals else f"{whole:,}"
    return Text(f"{unit.before}{number}{unit.after.zh}", f"{unit.before}{number}{unit.after.en}")
