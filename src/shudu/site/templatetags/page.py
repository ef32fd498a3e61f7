"""What templates need: both languages side by side, and addresses of static files."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.context import Context

from shudu.identity.types import MemberRole
from shudu.policy.types import Role, Text

from ..assets import assets
from ..language import is_chinese

register = template.Library()

ROLES = {
    Role.AUDITOR: Text("审计方", "auditor"),
    Role.AUTHORITY: Text("主管部门", "department in charge"),
    Role.BUYER: Text("需方", "buyer"),
    Role.MODELLER: Text("模型提供方", "modeller"),
    Role.OPERATOR: Text("运营机构", "operating company"),
    Role.PROVIDER: Text("数据提供方", "provider"),
    Role.SYSTEM: Text("系统", "system"),
}
DUTIES = {
    MemberRole.ADMIN: Text("管理员", "administrator"),
    MemberRole.APPROVER: Text("审批人", "approver"),
    MemberRole.AUDITOR: Text("审计人", "auditor"),
    MemberRole.FINANCE: Text("财务", "finance"),
    MemberRole.STEWARD: Text("数据专员", "steward"),
}


@register.simple_tag
def say(zh: str, en: str) -> str:
    """`{% say "登录" "Sign in" %}`: one sentence, both languages."""
    return zh if is_chinese() else en


@register.filter
def said(text: Text) -> str:
    """A `Text` in the page's language."""
    return text.zh if is_chinese() else text.en


@register.filter
def role_name(role: str) -> str:
    """What a role is called on a page."""
    return said(ROLES[Role(role)])


@register.filter
def duty_name(duty: str) -> str:
    """What a person's part in a party is called on a page."""
    return said(DUTIES[MemberRole(duty)])


@register.simple_tag
def asset(name: str) -> str:
    """The address of a static file."""
    return f"/static/{assets()[name].address}"


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
