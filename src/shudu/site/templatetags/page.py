"""What templates need: both languages side by side, and addresses of static files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from shudu.catalog.types import LEVELS
from shudu.identity.types import MemberRole
from shudu.policy.types import Role, Text

from .. import words
from ..assets import assets
from ..choosing import interval
from ..language import is_chinese

register = template.Library()
CHENGDU = ZoneInfo("Asia/Shanghai")
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
# A stretch of Chinese, with what stands between its characters.
_RUN = re.compile(
    "([\u3400-\u9fff\U00020000-\U0003ffff]"
    "(?:[ \u2010-\u2027\u3000-\u9fff\uff00-\uffef\U00020000-\U0003ffff·0-9]*"
    "[\u3000-\u303f\u3400-\u9fff\uff00-\uffef\U00020000-\U0003ffff])?)"
)


@register.simple_tag
def say(zh: str, en: str) -> str:
    """`{% say "登录" "Sign in" %}`: one sentence, both languages."""
    return zh if is_chinese() else en


@register.simple_tag
def gap() -> SafeString:
    """The em between two facts on one line, in both languages."""
    return SafeString('<span class="gap"> </span>')


@register.simple_tag(takes_context=True)
def opened_for(context: Context) -> SafeString:
    """In every form that somebody sends who acts for an organisation: for whom it was opened (`acting.acts` asks)."""
    mark = f"{context['user'].pk}.{context['acting'].id}"
    return format_html('<input type="hidden" name="opened_for" value="{}">', mark)


@register.filter
def said(text: Text) -> str:
    """A `Text` in the page's language."""
    return text.zh if is_chinese() else text.en


@register.filter
def role_name(role: str) -> str:
    """What a role is called on a page."""
    return said(words.ROLES[Role(role)])


@register.filter
def duty_name(duty: str) -> str:
    """What a person's part in a party is called on a page."""
    return said(words.DUTIES[MemberRole(duty)])


@register.simple_tag
def asset(name: str) -> str:
    """The address of a static file."""
    return f"/static/{assets()[name].address}"


@register.filter
def plain(title: Mapping[str, str] | str) -> str:
    """A language map, or a name, in the page's language where there is one; for titles and attributes."""
    if isinstance(title, str):
        return title
    first, second = ("zh", "en") if is_chinese() else ("en", "zh")
    return title.get(first) or title.get(second) or next(iter(title.values()), "")


@register.filter
def named(title: Mapping[str, str] | str) -> str | SafeString:
    """The same in the text of a page: Chinese names on an English page say so, for voices and fonts."""
    text = plain(title)
    if is_chinese() or not _HAN.search(text):
        return text
    parts = (
        format_html('<span lang="zh-CN">{}</span>', part) if _HAN.search(part) else part for part in _RUN.split(text)
    )
    return format_html_join("", "{}", ((part,) for part in parts))


@register.filter
def tongue(title: Mapping[str, str] | str) -> SafeString:
    """` lang="zh-CN"` for an element that can hold nothing but text, such as an option, when that is Chinese."""
    return format_html(' lang="{}"', "zh-CN") if not is_chinese() and _HAN.search(plain(title)) else SafeString("")


@register.filter
def parted(code: str) -> SafeString:
    """A catalogue code that may break behind its stroke, so that its last digit is not left to a line of its own."""
    return format_html_join(SafeString("/<wbr>"), "{}", ((part,) for part in code.split("/")))


@register.filter
def word(code: str, table: str) -> str:
    """What a code is called, by the table of `words` it belongs to; an unknown one is shown as it is."""
    text = getattr(words, table).get(code)
    return said(text) if text else code


@register.filter
def mark(state: str) -> SafeString:
    """A state: a mark and a word."""
    kind, text = words.STATES.get(str(state), ("off", Text(str(state), str(state))))
    return format_html('<span class="mark {}">{}</span>', kind, said(text))


@register.filter
def version_mark(state: str) -> SafeString:
    return mark(words.VERSION_STATES[str(state)])


@register.filter
def level_name(code: str) -> str:
    """`L2 内部`."""
    return f"{code} {said(LEVELS[code].name)}" if code in LEVELS else code


@register.filter
def national(code: str) -> str:
    return said(LEVELS[code].national) if code in LEVELS else ""


@register.filter
def yuan(fen: int) -> str:
    """分 as `¥ 1,200.01`, with its sign."""
    return f"{'-' if fen < 0 else ''}¥ {abs(fen) // 100:,}.{abs(fen) % 100:02d}"


@register.filter
def number(value: int) -> str:
    return f"{value:,}"


@register.filter
def every(minutes: int) -> str:
    """How often a feed is refreshed."""
    return interval(minutes)


@register.filter
def moment(time: datetime | None) -> str | SafeString:
    """A moment in Chengdu, to the minute."""
    if time is None:
        return ""
    local = time.astimezone(CHENGDU)
    return format_html('<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M}")


@register.filter
def last_day(time: datetime) -> str:
    return f"{time.astimezone(CHENGDU):%Y-%m-%d}"


@register.filter
def said_json(text: Mapping[str, str]) -> str:
    """A sentence kept as `{"zh", "en"}`."""
    return text.get("zh" if is_chinese() else "en", "")


@register.filter
def of_the_file(notes: Iterable[Any]) -> list[Any]:
    """Notes on how a file was read, without those that only say of a column what its own row in a table says."""
    codes = ((one["code"] if isinstance(one, dict) else one.code, one) for one in notes or ())
    return [one for code, one in codes if code not in ("value.nulls", "value.spelling")]


@register.filter
def opened(value: Any) -> SafeString:
    """A value as it is written in a receipt: plain text without its quotes, what has parts over several lines."""
    if isinstance(value, str):
        return format_html("<code>{}</code>", value)
    if not isinstance(value, list | dict):
        return format_html("<code>{}</code>", json.dumps(value))
    return format_html('<pre tabindex="0"><code>{}</code></pre>', json.dumps(value, ensure_ascii=False, indent=1))


@register.filter
def get(mapping: Mapping[str, Any], key: str) -> Any:
    return mapping.get(key, "")


@register.inclusion_tag("part/field.html", takes_context=True)
def field(context: Context, name: str, zh: str, en: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """One labelled field: its value as sent, its hint, and what is wrong with it. `options` makes it a choice."""
    error = context.get("error")
    values: Any = context.get("values", {})
    sent = values.getlist(name) if hasattr(values, "getlist") else [values[name]] if name in values else []
    default = more.pop("value", "")
    given = sent or ([default] if default != "" else [])
    options = [(code, label, code in given) for code, label in more.pop("options", [])]
    hint = more.pop("hint_zh", "") if is_chinese() else more.get("hint_en", "")
    more.pop("hint_en", None), more.pop("hint_zh", None)
    return {
        "name": name,
        "label": zh if is_chinese() else en,
        "kind": kind,
        "value": given[0] if given else "",
        "options": options,
        "hint": hint,
        "wrong": said(error.message) if error and error.where.get("field") == name else "",
        "more": more,
    }


@register.inclusion_tag("part/choices.html", takes_context=True)
def choices(
    context: Context, name: str, options: list[tuple[str, str]], zh: str, en: str, hint: str = "", raw: bool = False
) -> dict[str, Any]:
    """Several of a list, as labelled boxes under one legend."""
    values: Any = context.get("values", {})
    error = context.get("error")
    sent = values.getlist(name) if hasattr(values, "getlist") else []
    return {
        "field": name,
        "label": zh if is_chinese() else en,
        "hint": hint,
        "raw": raw,
        "options": [(code, label, code in sent) for code, label in options],
        "wrong": said(error.message) if error and error.where.get("field") == name else "",
    }


@register.filter
def slip(entries: Mapping[tuple[str, str], Any], subject: str) -> list[Any]:
    """The ledger entries about a subject."""
    return [entry for (_, about), entry in entries.items() if about == subject]


class Both(template.Node):
    def __init__(self, zh: NodeList, en: NodeList) -> None:
        self.zh, self.en = zh, en

    def render(self, context: Context) -> Any:
        return (self.zh if is_chinese() else self.en).render(context)


@register.tag
def zh(parser: Parser, token: Token) -> Both:
    """`{% zh %}…{% en %}…{% endzh %}`: a passage with markup, both languages."""
    chinese = parser.parse(("en",))
    parser.delete_first_token()
    english = parser.parse(("endzh",))
    parser.delete_first_token()
    return Both(chinese, english)
