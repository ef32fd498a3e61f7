"""What a disk or a database that takes no more is called, at every door and by the worker."""

from __future__ import annotations

import errno

from django.db import DatabaseError, OperationalError

from .types import ShuduError, Text, Unavailable

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# SQLite (SQLITE_FULL) and PostgreSQL (53100, also when it cannot extend a file).
_NO_SPACE_WORDS = ("disk is full", "No space left on device")
_DAMAGED = ("malformed", "file is not a database")  # SQLITE_CORRUPT, SQLITE_NOTADB
_PASSING = ("home.space", "home.rows", "lake.space", "upload.space")


def said(error: Exception) -> Unavailable | None:
    """An error of the machine in words, when it is one that passes without anything done wrong; None for others."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return _no_space()
    # Other subclasses say that a statement of ours was wrong.
    if type(error) not in (DatabaseError, OperationalError):
        return None
    if any(words in str(error) for words in _NO_SPACE_WORDS):
        return _no_space()
    if any(words in str(error) for words in _DAMAGED):
        return Unavailable(
            "home.damaged",
            Text("主目录中的数据库已损坏。", "The home's database is damaged."),
            Text(
                "请停下服务，保留现有的主目录，用 shudu restore 从备份恢复。",
                "Stop the service, keep the home as it is, and restore a backup with `shudu restore`.",
            ),
        )
    return Unavailable(
        "home.rows",
        Text(
            "主目录中的数据库现在不能读写：磁盘只读，或正被长时间占用。未完成的写入已回滚。",
            "The home's database cannot be read or written now: the disk is read-only, or somebody holds the database."
            " Unfinished writes were rolled back.",
        ),
        Text("请检查磁盘与权限后再试。", "Check the disk and its permissions and try again."),
    )


def passes(error: Exception) -> bool:
    """Will the same work succeed once somebody has made room, or the database answers again?"""
    known = error if isinstance(error, ShuduError) else said(error)
    return known is not None and known.code in _PASSING


def _no_space() -> Unavailable:
    return Unavailable(
        "home.space",
        Text(
            "磁盘空间不足，未完成的写入已回滚，什么也没有丢失。",
            "The disk is full. What was begun was undone; nothing is lost.",
        ),
        Text("请清理磁盘空间后再做一次。", "Free some space, then do it again."),
    )
