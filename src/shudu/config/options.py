"""The options of an installation: `SHUDU_*` variables first, then `shudu.toml` in the home, then a default that works.

Each is documented in docs/operations.md; a test fails when one is not.
"""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .database import database


@dataclass(frozen=True)
class Options:
    """Typed options. The environment variable of `lease_seconds` is `SHUDU_LEASE_SECONDS`."""

    home: Path
    keys: Path
    port: int = 8000
    address: str = ""  # how others reach the site, such as https://data.example.cn; empty: this machine only
    language: str = ""  # of the command line: zh or en; empty follows LANG
    lease_seconds: float = 60.0
    ledger_algorithm: str = "ed25519"  # or sm2-sm3, of a log that is opened from now on
    database_url: str = ""  # postgresql://…; empty: SQLite in the home
    max_upload_mb: int = 5_120
    upload_quota_mb: int = 20_480  # of one party, for all it has uploaded in parts and not removed
    upload_days: int = 7  # an upload nobody went on with is removed, and a drop folder's answered deliveries
    inbox: str = ""  # where organisations' drop folders lie; empty: `inbox` in the home
    api_calls_per_minute: int = 600  # of one token, in one process; 0: not counted
    pages_per_minute: int = 3_000  # of one person, in one process; 0: not counted
    source_hosts: str = ""  # host:port (or a socket's path) of each database that may be read, by commas; empty: none
    source_ca: str = "/etc/ssl/certs/ca-certificates.crt"  # who may vouch for a database's certificate
    source_rows: int = 100_000_000
    source_seconds: int = 3_600
    # Per cent of 规范性, 完整性, 准确性, 一致性, 时效性, 可访问性 in a table's score.
    quality_weights: str = "20,20,15,15,15,15"

    @property
    def weights_of_quality(self) -> dict[str, int]:
        return {f"0{place}": int(weight) for place, weight in enumerate(self.quality_weights.split(","), 1)}


def load(home: str | Path | None = None) -> Options:
    """Read the options for `home` (default `SHUDU_HOME`, else `~/.shudu`).

    Raises SystemExit, in words, for a file or a value that cannot be used: no door is open yet to say it better.
    """
    place = Path(home or os.environ.get("SHUDU_HOME") or Path.home() / ".shudu").expanduser().absolute()
    told = _written(place / "shudu.toml")
    for field in fields(Options):
        if (value := os.environ.get(f"SHUDU_{field.name.upper()}")) is not None:
            told[field.name] = value
    # Keys lie beside the home, not in it: a copy of the home alone opens nothing that is encrypted.
    keys = Path(told.pop("keys", "") or f"{place}.keys").expanduser().absolute()
    if keys.is_relative_to(place):
        raise SystemExit(f"密钥不能放在数据目录里 / keys must not lie in the home: {keys}")
    told.pop("home", None)
    kinds = {field.name: field.type for field in fields(Options)}
    options = Options(home=place, keys=keys, **{n: _convert(n, value, kinds[n]) for n, value in told.items()})
    _check(options)
    return options


def _check(options: Options) -> None:
    # A lease that has ended before its step began would let a run be taken over for ever and never end.
    if not (math.isfinite(options.lease_seconds) and 1 <= options.lease_seconds <= 86_400):
        raise SystemExit("选项 lease_seconds 须为 1 至 86400 秒 / option lease_seconds: from 1 to 86400 seconds")
    weights = options.quality_weights.split(",")
    if len(weights) != 6 or not all(weight.strip().isdecimal() for weight in weights) or sum(map(int, weights)) != 100:
        raise SystemExit("选项 quality_weights：合计 100 的六个整数 / option quality_weights: six integers, 100 in all")
    try:
        database(options.database_url, options.home)
    except ValueError:  # without the URL, which may hold a password
        raise SystemExit(
            "选项 database_url 不是 PostgreSQL 地址 / option database_url: not a PostgreSQL URL"
            " (postgresql://user@host:5432/name)"
        ) from None
    if options.ledger_algorithm not in ("ed25519", "sm2-sm3"):
        raise SystemExit("选项 ledger_algorithm 须为 ed25519 或 sm2-sm3 / option ledger_algorithm: ed25519 or sm2-sm3")
    if options.source_rows < 1 or not 1 <= options.source_seconds <= 86_400:
        raise SystemExit(
            "选项 source_rows、source_seconds 超出范围 / options source_rows, source_seconds: out of range"
        )
    if options.max_upload_mb < 1:
        raise SystemExit("选项 max_upload_mb 至少为 1 / option max_upload_mb: at least 1")
    if options.upload_quota_mb < 1 or not 1 <= options.upload_days <= 366:
        raise SystemExit(
            "选项 upload_quota_mb 至少为 1，upload_days 为 1 至 366 / options upload_quota_mb: at least 1,"
            " upload_days: 1 to 366"
        )
    if options.inbox and not Path(options.inbox).is_absolute():
        raise SystemExit("选项 inbox 须为绝对路径 / option inbox: an absolute path")
    if options.api_calls_per_minute < 0:
        raise SystemExit("选项 api_calls_per_minute 不得为负 / option api_calls_per_minute: at least 0")
    if options.pages_per_minute < 0:
        raise SystemExit("选项 pages_per_minute 不得为负 / option pages_per_minute: at least 0")


def _written(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        told = {name: str(value) for name, value in tomllib.loads(file.read_text("utf-8")).items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SystemExit(f"shudu.toml 无法读取 / cannot be read: {error}") from None
    if unknown := set(told) - {field.name for field in fields(Options)}:
        raise SystemExit(f"shudu.toml 中有未知选项 / holds unknown options: {', '.join(sorted(unknown))}")
    return told


def _convert(name: str, value: str, kind: object) -> Any:
    convert: dict[str, type] = {"int": int, "float": float, "str": str}
    try:
        return convert[str(kind)](value)
    except ValueError:
        raise SystemExit(f"选项 {name} 的值不可用 / option {name}: {value!r} is not of type {kind}") from None
