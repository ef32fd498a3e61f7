"""What comes into this room: new parties, new tokens, and the words for members and scopes."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shudu.policy import ids, plain_text
from shudu.policy.types import Actor, Invalid, Role, Text, Via

from .codes import check_uscc


class PartyKind(StrEnum):
    ORGANISATION = "organisation"
    PERSON = "person"
    PUBLIC = "public"
    REMOTE = "remote"


class PartyState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class MemberRole(StrEnum):
    """What a person does inside a party. `ADMIN` adds members and issues tokens."""

    ADMIN = "admin"
    APPROVER = "approver"
    AUDITOR = "auditor"
    FINANCE = "finance"
    STEWARD = "steward"


class Scope(StrEnum):
    """What a token is good for; `WRITE` includes `READ`."""

    READ = "read"
    WRITE = "write"


TRADING = frozenset({Role.BUYER, Role.MODELLER, Role.PROVIDER})
# Who approves or audits never sells: these roles and the trading ones are never one party's.
INDEPENDENT = frozenset({Role.AUDITOR, Role.AUTHORITY})


def clean_name(text: str) -> str:
    """A name as it is kept (`plain_text.clean`), of 1 to 200 characters. Raises `Invalid`."""
    zh, en = "须为 1 至 200 个字符", "it has 1 to 200 characters"
    try:
        name = plain_text.clean(text)
        if len(name) <= 200:
            return name
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
    raise Invalid(
        "identity.name",
        Text(f"名称不可用：{zh}。", f"This cannot be a name: {en}."),
        Text("请填写登记证照上的名称。", "Give the name as it is registered."),
    )


Name = Annotated[str, AfterValidator(clean_name)]


class CreateParty(BaseModel):
    """A new party. `code` is a unified social credit code (GB 32100-2015), of organisations only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    code: str | None = None
    kind: PartyKind = PartyKind.ORGANISATION
    roles: frozenset[Role] = TRADING

    @model_validator(mode="after")
    def _fits(self) -> CreateParty:
        if self.code is not None:
            if self.kind is not PartyKind.ORGANISATION:
                raise Invalid(
                    "identity.code_of_organisation",
                    Text("只有组织机构才有统一社会信用代码。", "Only an organisation has such a code."),
                    Text("请去掉代码，或将类型改为组织机构。", "Leave the code out, or make the kind an organisation."),
                )
            object.__setattr__(self, "code", check_uscc(self.code))
        _check_roles(self.roles)
        return self


def _check_roles(roles: frozenset[Role]) -> None:
    if not roles or Role.SYSTEM in roles or (roles & INDEPENDENT and roles & TRADING):
        raise Invalid(
            "identity.roles",
            Text(
                "主体须至少有一个角色；主管与审计角色不得与交易角色（数据提供方、模型提供方、需方）由同一主体兼任。",
                "A party needs a role; who approves or audits may not also provide, model or buy.",
            ),
            Text("请为另一职能另设主体。", "Create a second party for the other function."),
        )


class IssueToken(BaseModel):
    """A new token of `party` (id), for `days` days; with `person` (id) it acts as that member."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    party: str
    scopes: frozenset[Scope] = frozenset({Scope.READ})
    days: int = Field(default=90, ge=1, le=366)
    person: str | None = None

    @property
    def life(self) -> timedelta:
        return timedelta(days=self.days)


def founder(via: Via = Via.CONSOLE) -> Actor:
    """Who creates the operating company while nobody is there yet: the party it is about to become."""
    return Actor(party=ids.new("party"), roles=frozenset({Role.OPERATOR}), via=via)
