"""Who is in the demonstration: six departments, the one in charge, an auditor, and ten organisations that trade.

All are invented, and so is their city. Their codes are well-formed and assigned to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from shudu.accounts import actions as accounts
from shudu.identity import actions as identity_actions
from shudu.identity import queries as identity
from shudu.identity.types import TRADING, CreateParty
from shudu.policy.types import Actor, NotFound, Role

from .identifiers import unified_code

CREDIT_FEN = 1_000_000_00  # ¥1,000,000 of simulated money for each organisation that trades


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    code: str
    roles: frozenset[Role]

    @property
    def trades(self) -> bool:
        """Departments and overseers buy nothing, so they are given no money."""
        return not self.code.startswith("11")


def _department(name: str, number: int, role: Role = Role.PROVIDER) -> Member:
    """11: registered as an organ of state (机关)."""
    return Member(f"锦官市{name}", unified_code("510100", f"MB0000{number:02d}", "11"), frozenset({role}))


def _company(name: str, number: int, *roles: Role, kind: str = "91") -> Member:
    return Member(name, unified_code("510100", f"MA0000{number:02d}", kind), frozenset(roles) or TRADING)


# By the word used for each in `catalogue` and `deals`.
CAST: dict[str, Member] = {
    "provider": _company("锦城通信有限公司", 10),
    "modeller": _company("蜀算智能科技有限公司", 20),
    "buyer": _company("望江客户研究院", 30, kind="52"),
    "market": _department("市场监督管理局", 11),
    "urban": _department("城市管理委员会", 12),
    "transport": _department("交通运输局", 13),
    "health": _department("卫生健康委员会", 14),
    "labour": _department("人力资源和社会保障局", 15),
    "environment": _department("生态环境局", 16),
    "authority": _department("数据局", 21, Role.AUTHORITY),
    "auditor": _department("审计局", 22, Role.AUDITOR),
    "mobility": _company("芙蓉渡出行科技有限公司", 40, Role.MODELLER),
    "clinical": _company("杏林桥健康数据有限公司", 41, Role.MODELLER, Role.PROVIDER),
    "software": _company("散花楼软件有限公司", 42, Role.MODELLER),
    "insurer": _company("合江亭财产保险股份有限公司", 43, Role.BUYER),
    "retailer": _company("浣花里商业管理有限公司", 44, Role.BUYER, Role.PROVIDER),
    "logistics": _company("百花潭物流有限公司", 45, Role.BUYER, Role.PROVIDER),
    "consultant": _company("琴台路城市咨询有限公司", 46, Role.BUYER, Role.MODELLER),
}
# Who has a sign-in of its own, beside the operating company.
PEOPLE = ("provider", "modeller", "buyer", "health", "authority", "auditor")


def register(operator: Actor) -> dict[str, Actor]:
    """Make every party once, with its simulated funds."""
    actors = {}
    for word, member in CAST.items():
        party = _party(operator, member)
        if member.trades:
            accounts.deposit(operator, party.id, CREDIT_FEN, idempotency_key=f"demonstration/{member.code}")
        actors[word] = identity.actor_for(party.id)
    return actors


def _party(operator: Actor, member: Member) -> identity.Party:
    """By its code, so that a home with an earlier demonstration keeps its parties."""
    try:
        return identity.resolve(member.code)
    except NotFound:
        request = CreateParty(name=member.name, code=member.code, roles=member.roles)
        party: identity.Party = identity_actions.create_party(operator, request)
        return party
