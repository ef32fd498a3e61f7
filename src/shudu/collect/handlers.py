"""What the worker looks after: uploads nobody went on with."""

from __future__ import annotations

from shudu.identity import queries as identity

from . import uploads


def expire_uploads() -> None:
    uploads.expire_uploads(identity.system())
