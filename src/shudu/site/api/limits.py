"""How many calls a token may make, and how many pages a person: a bucket each, filled evenly, in this process. Who asks
too often is told when to come back."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest

from shudu.policy.types import Text, Unavailable

MOST_CALLERS = 10_000  # remembered at once; of more, those not heard of for longest begin with a full bucket
BURST = 10  # a full bucket holds this part of a minute's calls
UNKNOWN = "address:"


class TooMany(Unavailable):
    """Come back after `seconds`."""

    seconds: int


class Limiter:
    """A bucket for each caller: `per_minute` calls, of which a tenth (at least ten) may come at once."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.lock = threading.Lock()
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, per_minute: int) -> None:
        """Count a call; raises `TooMany` when the bucket is empty. `per_minute` 0: nothing is counted."""
        if per_minute == 0:
            return
        most, rate = float(max(per_minute // BURST, 10)), per_minute / 60
        with self.lock:
            now = self.now()
            left, then = self.buckets.pop(caller, (most, now))
            left = min(most, left + (now - then) * rate)
            self.buckets[caller] = (left - 1 if left >= 1 else left, now)
            while len(self.buckets) > MOST_CALLERS:
                self.buckets.popitem(last=False)
        if left < 1:
            raise _too_many(math.ceil((1 - left) / rate), per_minute)


limiter = Limiter()


def count(request: HttpRequest, secret: str) -> None:
    """Count a call of this token's. Only a digest of the secret is remembered."""
    limiter.take(hashlib.sha256(secret.encode()).hexdigest(), settings.OPTIONS.api_calls_per_minute)


def count_unknown(request: HttpRequest) -> None:
    """Count a call whose token is none of ours, by the address it comes from: secrets are not found by trying."""
    limiter.take(UNKNOWN + address(request), settings.OPTIONS.api_calls_per_minute)


def count_page(request: HttpRequest) -> None:
    """Count a page by who asks for it; signed out, by the address."""
    user = request.user
    who = f"person:{user.pk}" if user.is_authenticated else f"pages:{address(request)}"
    limiter.take(who, settings.OPTIONS.pages_per_minute)


def address(request: HttpRequest) -> str:
    """Where a call comes from; behind our proxy, what the proxy says."""
    named = request.headers.get("X-Forwarded-For", "") if settings.ALLAUTH_TRUSTED_PROXY_COUNT else ""
    return named.rsplit(",", 1)[-1].strip()[:64] or request.META.get("REMOTE_ADDR", "")


def _too_many(seconds: int, per_minute: int) -> TooMany:
    error = TooMany(
        "rate.exceeded",
        Text(f"请求过于频繁：每分钟至多 {per_minute} 次。", f"Too many requests: at most {per_minute} a minute."),
        Text(f"请 {seconds} 秒后重试。", f"Try again in {seconds} s."),
        {"per_minute": per_minute, "retry_after": seconds},
    )
    error.seconds = seconds
    return error
