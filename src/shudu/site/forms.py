"""What a form brings, made into what an action takes; what is wrong with it, said beside the form."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from django.http import HttpRequest
from pydantic import ValidationError

from shudu.policy import wording
from shudu.policy.types import Conflict, Invalid, ShuduError, Text

T = TypeVar("T")
SENT_BEFORE = Text(
    "这张表单已经交过一次，这次填的与上次不同，没有受理。",
    "This form was sent before with other content; this time it was not accepted.",
)
SEND_AGAIN = Text("确实要再办一次，请核对后再按一次按钮。", "If you mean to do it once more, check it and press again.")
UNREADABLE = Text("请检查后重新填写。", "Check it and fill it in again.")


def new_key() -> str:
    """An idempotency key for a form: sent twice, the thing is done once."""
    return uuid.uuid4().hex


def key_of(request: HttpRequest) -> str:
    """The key the form carries."""
    return request.POST.get("key", "")[:64] or new_key()


def again(error: ShuduError) -> dict[str, Any]:
    """For a form shown once more: what is wrong, and a new key, since what is sent next is another request."""
    if error.code == "idempotency.reused":
        error = Conflict(error.code, SENT_BEFORE, SEND_AGAIN)
    return {"error": error, "key": new_key()}


def typed(make: Callable[..., T], **values: Any) -> T:
    """Make a typed input; what pydantic finds wrong is said like every other error, with its field."""
    try:
        return make(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        said = wording.of(first)
        message = Text(f"填得不对：{said.zh}。", f"This is not filled in right: {said.en}.")
        raise Invalid("input", message, UNREADABLE, {"field": field}) from None


def wrong(field: str, zh: str, en: str) -> Invalid:
    """A field that cannot be used as it is."""
    return Invalid(f"input.{field}", Text(zh, en), UNREADABLE, {"field": field})


def fen(text: str, field: str) -> int:
    """Yuan as written, in 分."""
    try:
        amount = Decimal(text.strip()) * 100
    except InvalidOperation:
        amount = Decimal("0.1")
    if not amount.is_finite() or amount != int(amount) or not 0 <= amount < 10**14:
        raise wrong(field, "金额不是元，至多两位小数。", "That is not an amount in yuan with at most two decimals.")
    return int(amount)


def whole(text: str, field: str) -> int:
    """A whole number from 0."""
    if not text.strip().isdecimal() or len(text.strip()) > 12:
        raise wrong(field, "这一栏须填整数。", "This takes a whole number.")
    return int(text)


def day(text: str, field: str) -> date:
    """A day as the browser's field sends it."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise wrong(field, "日期写法不对，例如 2027-06-30。", "Write the day like 2027-06-30.") from None
