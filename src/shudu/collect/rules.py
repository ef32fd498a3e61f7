"""Who may send: parties that bring data or models, each its own; the worker clears away what nobody goes on with."""

from __future__ import annotations

from shudu.policy.permissions import Permission
from shudu.policy.rules import Owner, grant, holders
from shudu.policy.types import Role, Text


def register() -> None:
    sender = Owner("owner", "owner", Text("仅限上传的主体。", "Only the party that sends it."))
    grant(Permission.BATCH_SUBMIT, holders(Role.PROVIDER))
    submitter = Owner("owner", "owner", Text("仅限提交该批次的主体。", "Only the party that handed it in."))
    grant(Permission.BATCH_READ, submitter, holders(Role.OPERATOR, Role.AUDITOR, Role.AUTHORITY))
    grant(Permission.UPLOAD_CREATE, holders(Role.PROVIDER, Role.MODELLER))
    grant(Permission.UPLOAD_USE, sender)
    grant(Permission.UPLOAD_REMOVE, sender, holders(Role.SYSTEM))
