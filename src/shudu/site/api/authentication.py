"""Who calls: the party a bearer token stands for. What changes something carries an idempotency key too."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from shudu.identity import queries as identity
from shudu.identity.types import Scope
from shudu.policy.api import Call
from shudu.policy.types import Actor, Refused, Via

from . import limits, wording
from .uploads import Spool

SAFE = ("GET", "HEAD")
KEYLESS = ("PATCH",)  # parts of uploads say by their offset whether they were received already
LONGEST_KEY = 200


class Bearer(HttpBearer):
    """`Authorization: Bearer shudu_…`. With `reads`, a POST that changes nothing: as a GET, and without a key."""

    def __init__(self, *, reads: bool = False) -> None:
        self.reads = reads
        super().__init__()

    def __call__(self, request: HttpRequest) -> Any | None:
        # Said before any part of the body is looked at.
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        return self.authenticate(request, secret.strip()) if scheme.lower() == "bearer" and secret.strip() else None

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        reads = self.reads or request.method in SAFE
        limits.count(request, token)
        try:
            actor = identity.actor_of_token(token, Scope.READ if reads else Scope.WRITE, Via.API)
        except Refused:
            limits.count_unknown(request)
            raise
        call = cast(Call, request)
        call.idempotency_key = "" if reads or request.method in KEYLESS else _key(request)
        call.upload_handlers = [Spool(request)]
        return actor


def _key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        raise wording.no_key()
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= sign <= "~" for sign in key):
        raise wording.bad_key()
    return key
