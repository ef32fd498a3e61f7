"""Who may send, and who may add a source and publish from it: each its own; the worker clears away what nobody uses."""

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
    grant(Permission.INBOX_OPEN, holders(Role.PROVIDER))
    grant(Permission.INBOX_USE, sender)
    owner = Owner("owner", "owner", Text("仅限其所属主体。", "Only the party it belongs to."))
    grant(Permission.SOURCE_ADD, holders(Role.PROVIDER))
    grant(Permission.SOURCE_READ, owner)
    grant(Permission.SOURCE_CLOSE, owner)
    grant(Permission.FEED_OPEN, owner)
    grant(Permission.FEED_READ, owner, holders(Role.OPERATOR, Role.AUDITOR, Role.SYSTEM))
    grant(Permission.FEED_REFRESH, owner)
