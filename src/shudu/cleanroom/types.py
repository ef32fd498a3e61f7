"""What comes into this room: the stricter rules of release a party asks for, and what each rule is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from shudu.policy.types import Invalid, Text

RULES: Mapping[str, Text] = {
    "min_group": Text("最小分组（主体数）", "Least group (entities)"),
    "min_group_sensitive": Text("按敏感列分组时的最小分组", "Least group where a sensitive column makes it"),
    "dominant_entities": Text("查看最大的几个主体", "How many of the largest entities are looked at"),
    "dominant_share": Text("它们合计不得超过的占比", "The share they may have together"),
    "carrier_fraction": Text("得分须由组内多大比例的主体支撑", "The fraction of a group that must carry its scores"),
    "significant_digits": Text("有效数字位数", "Significant digits"),
    "resolution": Text("每个数量级至多分几档", "Steps in a decade"),
    "group_by": Text("可以分组的列", "Columns to group by"),
    "max_rows": Text("一次放行的行数", "Rows of a release"),
    "max_columns": Text("一次放行的列数", "Columns of a release"),
    "max_bytes": Text("每个文件的字节", "Bytes of a file"),
    "max_text": Text("分组取值的字数", "Length of a value to group by"),
    "releases_per_day": Text("每份合同每日放行次数", "Releases a day under an agreement"),
    "decide_days": Text("待放行结果的审核天数", "Days to decide about a held release"),
}

# Whether a row leaves turns on these and on the rows themselves. Whoever may set one finer and finer, and buys, learns
# from what is merged the very size or share it is held against: only who owns the data may.
JUDGED_BY_ROWS = frozenset(
    {"min_group", "min_group_sensitive", "dominant_entities", "dominant_share", "carrier_fraction", "max_text"}
)

Count = Annotated[StrictInt, Field(ge=1, le=10**9)] | None
Share = Annotated[StrictFloat, Field(gt=0, le=1)] | None
Name = Annotated[str, Field(min_length=1, max_length=200)]


class OwnRules(BaseModel):
    """What a party asks of every release its data or model is part of, in the place of what it asked for before.

    A rule that is not named stays as the house has it. `group_by`: the only columns that may make groups; none of them
    means no groups at all. Those `JUDGED_BY_ROWS` hold for the party's data, and for its models with nobody else's.
    Units and reasons: `release_policy.toml`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_group: Count = None
    min_group_sensitive: Count = None
    dominant_entities: Count = None
    dominant_share: Share = None
    carrier_fraction: Share = None
    significant_digits: Count = None
    resolution: Count = None
    group_by: Annotated[tuple[Name, ...], Field(max_length=200)] | None = None
    max_rows: Count = None
    max_columns: Count = None
    max_bytes: Count = None
    max_text: Count = None
    releases_per_day: Count = None
    decide_days: Count = None

    def named(self) -> dict[str, Any]:
        """The rules that were asked for, as they are kept."""
        asked = self.model_dump(mode="json", exclude_none=True)
        return asked | ({"group_by": sorted(set(asked["group_by"]))} if "group_by" in asked else {})


def rules_of(written: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Rules as people write them, each once: whole numbers, shares such as `0.8`, columns between commas or by line.

    Raises Invalid `release.rule` for what is no rule, or no value of one.
    """
    rules: dict[str, Any] = {}
    for name, text in written:
        value = _value(name, text) if name in RULES and name not in rules else None
        if value is None:
            raise Invalid(
                "release.rule",
                Text(f"放行规则的写法不正确：{name[:60]}。", f"A rule of release is not written right: {name[:60]}."),
                Text(
                    f"写成 规则=值，每条一次，例如 min_group=20、dominant_share=0.8；规则有：{'、'.join(RULES)}。",
                    f"Write rule=value, each once, such as min_group=20 or dominant_share=0.8: {', '.join(RULES)}.",
                ),
                {"field": name[:60]},
            )
        rules[name] = value
    return rules


def _value(name: str, text: str) -> Any:
    if name == "group_by":
        return tuple(dict.fromkeys(part.strip() for part in text.replace("\n", ",").split(",") if part.strip()))
    try:
        return float(text) if name in ("dominant_share", "carrier_fraction") else int(text)
    except ValueError:
        return None
