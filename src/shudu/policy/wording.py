"""What pydantic finds wrong with an input, in both languages and without the value it found: for every door.

A validator of ours says both itself, as `ValueError("中文 / English")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .types import Text

_MISTAKES = {
    "missing": Text("缺少这一项", "it is missing"),
    "extra_forbidden": Text("没有这一项", "there is no such field"),
    "parameter_unknown": Text("没有这个参数；可用的有 {known}", "there is no such parameter; there are {known}"),
    "enum": Text("须为 {expected} 之一", "it is one of {expected}"),
    "literal_error": Text("须为 {expected} 之一", "it is one of {expected}"),
    "string_pattern_mismatch": Text("写法不正确", "it is not written right"),
    "string_too_short": Text("至少 {min_length} 个字符", "it has at least {min_length} characters"),
    "string_too_long": Text("至多 {max_length} 个字符", "it has at most {max_length} characters"),
    "too_short": Text("至少 {min_length} 项", "it has at least {min_length} items"),
    "greater_than_equal": Text("不得小于 {ge}", "it is at least {ge}"),
    "less_than_equal": Text("不得大于 {le}", "it is at most {le}"),
    "greater_than": Text("须大于 {gt}", "it is more than {gt}"),
    "less_than": Text("须小于 {lt}", "it is less than {lt}"),
}
_KINDS = {
    "string": Text("须为文本", "it is text"),
    "int": Text("须为整数", "it is a whole number"),
    "bool": Text("须为 true 或 false", "it is true or false"),
    "date": Text("须为日期，例如 2027-06-30", "it is a date, such as 2027-06-30"),
    "float": Text("须为数", "it is a number"),
    "decimal": Text("须为数", "it is a number"),
    "datetime": Text("须为时间，例如 2027-06-30T08:00:00Z", "it is a moment, such as 2027-06-30T08:00:00Z"),
    "path": Text("须为文件路径", "it is the path of a file"),
    "dict": Text("须为对象", "it is an object"),
    "model": Text("须为对象", "it is an object"),
    "set": Text("须为不重复的数组", "it is an array without repeats"),
    "list": Text("须为数组", "it is an array"),
    "tuple": Text("须为数组", "it is an array"),
    "frozen": Text("须为不重复的数组", "it is an array without repeats"),
}


def of(mistake: Mapping[str, Any]) -> Text:
    """What pydantic found wrong with one field, without the value it found."""
    kind = mistake["type"]
    said = _MISTAKES.get(kind) or _KINDS.get(kind.split("_")[0])
    if said is None:
        zh, both, en = str(mistake["msg"]).removeprefix("Value error, ").partition(" / ")
        return Text(zh, en) if both else Text("取值不可用", "its value cannot be used")
    context = mistake.get("ctx", {})
    # What pydantic lists is joined in English.
    listed = {name: str(value).replace("', '", "'、'").replace("' or '", "' 或 '") for name, value in context.items()}
    return Text(said.zh.format(**listed), said.en.format(**context))


def field_of(mistake: Mapping[str, Any]) -> str:
    """Where a mistake is, such as `body.body.title` or `query.limit`."""
    loc = mistake["loc"]
    # Of a parameter it does not know, Ninja names the group as well.
    return ".".join(str(part) for part in (loc[1:] if loc[:2] == ("query", "query") else loc))[:200]
