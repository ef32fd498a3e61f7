"""Asking a database by way of a process apart (`sources`), only where the operating company lets us reach."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shudu.policy.types import Conflict, Decision, Invalid, Refused, ShuduError, Text, Unavailable

from .sources.kinds import KINDS
from .sources.port import Endpoint, Limits, too_long

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}|/[A-Za-z0-9._/-]{1,100}")
_LONGEST = 4 << 20
_ERRORS = {each.__name__: each for each in (Invalid, Unavailable, Conflict)}


@dataclass(frozen=True, slots=True)
class Beyond:
    """A watermark: the column, its value as DuckDB writes it, and whether rows at it are wanted too."""

    column: str
    value: str
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of database, where it is, what reads it, and how much it may give."""

    kind: str
    endpoint: Endpoint
    driver: str
    limits: Limits


def allowed(hosts: str, host: str, port: int) -> bool:
    """Does the option `source_hosts` name this place? Word for word: a name is never looked up to find out."""
    if not _HOST.fullmatch(host) or ".." in host:
        return False
    place = host if host.startswith("/") else f"{host}:{port}"
    return place.lower() in {each.strip().lower() for each in hosts.split(",") if each.strip()}


def refuse_unless_allowed(hosts: str, host: str, port: int) -> None:
    """Raises Refused `source.host`."""
    if not allowed(hosts, host, port):
        raise Refused.by(
            Decision.deny(
                "source.host",
                Text(
                    "运营机构没有允许连接这个地址。", "The operating company does not let us connect to this address."
                ),
                Text(
                    "请运营机构把“主机:端口”写入选项 source_hosts。",
                    "Ask it to put “host:port” into the option source_hosts.",
                ),
            )
        )


def tables(way: Way) -> list[dict[str, Any]]:
    """The tables that can be read: `name`, `view`."""
    found: list[dict[str, Any]] = _ask(way, asks="tables")["tables"]
    return found


def fields(way: Way, table: str) -> list[dict[str, Any]]:
    """A table's columns: `name`, `declared`, `watermark`."""
    found: list[dict[str, Any]] = _ask(way, asks="fields", table=table)["fields"]
    return found


def read(way: Way, table: str, columns: Sequence[str], beyond: Beyond | None, target: Path) -> dict[str, Any]:
    """Write rows as Parquet to `target`; answers `rows`, `odd` (counts by column) and `fields` (name, declared)."""
    return _ask(
        way,
        asks="read",
        table=table,
        columns=list(columns),
        beyond=asdict(beyond) if beyond else None,
        target=str(target),
    )


def _ask(way: Way, **asked: Any) -> dict[str, Any]:
    if way.kind not in KINDS:
        raise Invalid("source.kind", Text("没有这种来源库的连接器。", "There is no connector for this kind of source."))
    request = {
        "kind": way.kind, "endpoint": asdict(way.endpoint), "driver": way.driver, "limits": asdict(way.limits), **asked,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "shudu.collect.sources"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"},
        cwd="/",
        start_new_session=True,
    ) as child:
        try:
            said, _ = child.communicate(json.dumps(request).encode() + b"\n", timeout=way.limits.seconds)
        except subprocess.TimeoutExpired:
            raise too_long(way.kind) from None
        finally:
            child.kill()
    return _heard(said, child.returncode, way.kind)


def _heard(said: bytes, code: int, kind: str) -> dict[str, Any]:
    if not said or len(said) > _LONGEST:
        if code in (-9, -24):
            raise too_long(kind)
        raise _broke(kind, str(code))
    told: dict[str, Any] = json.loads(said)
    if "error" in told:
        raise _as_error(told["error"])
    if told.get("failed") == "space":
        raise Unavailable(
            "lake.space",
            Text("存储空间不足，什么也没有写入。", "There is not enough storage; nothing was written."),
            Text("请清理磁盘空间后再试。", "Free some space, then try again."),
        )
    if "failed" in told:
        raise _broke(kind, str(told["failed"]))
    return told


def _as_error(told: dict[str, Any]) -> ShuduError:
    remedy = Text(told["remedy_zh"], told["remedy_en"]) if "remedy_zh" in told else None
    made = _ERRORS.get(told["kind"], Invalid)
    return made(told["code"], Text(told["zh"], told["en"]), remedy, told["where"])


def _broke(kind: str, why: str) -> Unavailable:
    return Unavailable(
        "source.broke",
        Text("读取来源库的进程意外结束。", "The process that read the source ended unexpectedly."),
        Text("请重试；若再次出现，请运营机构查看。", "Try again; if it happens again, ask the operating company."),
        {"kind": kind, "why": why[:40]},
    )
