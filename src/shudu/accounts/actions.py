"""Deposit, open, reserve, commit, release: every write of the book."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError

from shudu.identity import queries as identity
from shudu.policy import clock, ids
from shudu.policy.actions import action, part_of_action, record, require
from shudu.policy.events import Event
from shudu.policy.permissions import Permission
from shudu.policy.types import Actor, Conflict, Decision, Invalid, Refused, Text, not_found

from .models import Reservation, Transfer
from .posting import Short, post
from .queries import balance
from .types import CAP, Kind, State, Why
from .units import Unit, spoken, unit_of

MONEY = "CNY.fen"


@action(Permission.FUNDS_DEPOSIT, Event.FUNDS_DEPOSITED)
def deposit(actor: Actor, party_id: str, fen: int) -> Transfer:
    """Credit a party with simulated funds: 1 分 to `CAP`, which is also the most anyone may have available."""
    require(actor, Permission.FUNDS_DEPOSIT)
    party = identity.party(party_id)
    _whole(fen, least=1)
    if balance(party.id, MONEY).available + fen > CAP:
        raise _amount_invalid(least=1)
    moves = {(party.id, Kind.ISSUED): -fen, (party.id, Kind.AVAILABLE): fen}
    transfer = post(MONEY, Why.DEPOSIT, ids.new("transfer"), moves)
    record(transfer.id, {"party": party.id, "unit": MONEY, "amount": fen})
    return transfer


@part_of_action
def open_quota(holder: str, unit: str, amount: int) -> None:
    """Give `holder` (an agreement) a number of uses of a unit that is no money. Once per holder and unit."""
    kind = unit_of(unit)
    _whole(amount, least=0)
    if kind.transferable:
        raise ValueError(f"{unit} is deposited, not granted")
    try:
        post(unit, Why.QUOTA, holder, {(holder, Kind.ISSUED): -amount, (holder, Kind.AVAILABLE): amount})
    except IntegrityError as error:
        raise Conflict(
            "accounts.quota_open",
            Text(f"“{holder}”的{kind.title.zh}额度已开立。", f"“{holder}” has its quota of {kind.title.en} already."),
        ) from error


@part_of_action
def reserve(holder: str, unit: str, amount: int, *, purpose: str, reference: str = "") -> Reservation:
    """Lock an amount of what `holder` has available; `Refused` (`accounts.funds`, `accounts.quota`) when short."""
    kind = unit_of(unit)
    _whole(amount, least=0)
    row = Reservation(holder=holder, unit=unit, amount=amount, purpose=purpose, reference=reference, opened=clock.now())
    try:
        post(unit, Why.RESERVE, row.id, {(holder, Kind.AVAILABLE): -amount, (holder, Kind.RESERVED): amount})
    except Short:
        raise Refused.by(_short(kind, amount, balance(holder, unit).available)) from None
    row.save(force_insert=True)
    return row


@part_of_action
def commit(reservation_id: str, shares: Mapping[str, int] | None = None) -> Reservation:
    """End a reservation by using it: money goes to the holders of `shares`, counts (`shares` None) are used up.

    The shares must sum to exactly what was reserved (`Invalid`). Committing again with the same shares changes
    nothing; with other shares, or after a release, it raises `Conflict`.
    """
    row = _reservation(reservation_id)
    given = {holder: share for holder, share in (shares or {}).items() if share}
    if unit_of(row.unit).transferable:
        for share in given.values():
            _whole(share, least=0)
        if shares is None or sum(given.values()) != row.amount:
            raise Invalid(
                "accounts.shares",
                Text("分成之和必须等于预留金额。", "The shares must sum to exactly the reserved amount."),
            )
        to = {(holder, Kind.AVAILABLE): share for holder, share in given.items()}
    elif given:
        raise Invalid("accounts.shares", Text("次数类额度不能分成。", "A count is used up; it has no shares."))
    else:
        to = {(row.holder, Kind.CONSUMED): row.amount}
    if _close(row, State.COMMITTED, given):
        post(row.unit, Why.COMMIT, row.id, {(row.holder, Kind.RESERVED): -row.amount, **to})
    return row


@part_of_action
def release(reservation_id: str) -> Reservation:
    """End a reservation unused: it is available again, or used up where the unit is not refundable.

    Releasing again changes nothing; after a commit it raises `Conflict`.
    """
    row = _reservation(reservation_id)
    back = Kind.AVAILABLE if unit_of(row.unit).refundable else Kind.CONSUMED
    if _close(row, State.RELEASED, {}):
        post(row.unit, Why.RELEASE, row.id, {(row.holder, Kind.RESERVED): -row.amount, (row.holder, back): row.amount})
    return row


def _reservation(reservation_id: str) -> Reservation:
    row = Reservation.objects.filter(id=reservation_id).first()
    if row is None:
        raise not_found("预留", "reservation", reservation_id)
    return row


def _close(row: Reservation, state: State, shares: dict[str, int]) -> bool:
    """Take the reservation to its end: True the first time, False when it has come to this end already."""
    waiting = Reservation.objects.filter(id=row.id, state=State.RESERVED.value)
    first = waiting.update(state=state.value, shares=shares, closed=clock.now()) == 1
    row.refresh_from_db()
    if not first and (row.state, row.shares) != (state.value, shares):
        raise Conflict(
            "accounts.reservation_closed",
            Text(
                f"预留 {row.id} 已有结果（{_ENDS[row.state].zh}），不能再改。",
                f"Reservation {row.id} is {_ENDS[row.state].en} already, which stands.",
            ),
        )
    return first


_ENDS = {State.COMMITTED.value: Text("已扣用", "committed"), State.RELEASED.value: Text("已释放", "released")}


def _short(unit: Unit, needed: int, available: int) -> Decision:
    needs, has = spoken(needed, unit), spoken(available, unit)
    if unit.transferable:
        return Decision.deny(
            "accounts.funds",
            Text(
                f"可用资金不足：需要 {needs.zh}，可用 {has.zh}。",
                f"Short of funds: needs {needs.en}, available {has.en}.",
            ),
            Text(
                "请联系运营机构入金，或等待预留资金释放。",
                "Have the operator deposit funds, or wait for reserved ones.",
            ),
        )
    return Decision.deny(
        "accounts.quota",
        Text(
            f"剩余额度不足：需要 {needs.zh}，可用 {has.zh}。", f"The quota is used up: needs {needs.en}, has {has.en}."
        ),
        Text("请订立新的协议以取得更多额度。", "Conclude a new agreement for more."),
    )


def _whole(amount: int, *, least: int) -> None:
    if type(amount) is not int or not least <= amount <= CAP:
        raise _amount_invalid(least)


def _amount_invalid(least: int) -> Invalid:
    return Invalid(
        "accounts.amount",
        Text(f"数额须为 {least:,} 至 {CAP:,} 之间的整数。", f"An amount is a whole number from {least:,} to {CAP:,}."),
        Text("金额以分为单位。", "Money is counted in fen."),
    )
