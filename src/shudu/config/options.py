"""The options of an installation: `SHUDU_*` variables first, then `shudu.toml` in the home, then a default that works.

Each is documented in docs/operations.md; a test fails when one is not.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """Typed options. The environment variable of `lease_seconds` is `SHUDU_LEASE_SECONDS`."""

    home: Path
    keys: Path
    port: int = 8000
    address: str = ""  # how others reach the site, such as https://data.example.cn; empty: this machine only
    language: str = ""  # of the command line: zh or en; empty follows LANG
    lease_seconds: float = 60.0
    max_upload_mb: int = 5_120


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
    return Options(home=place, keys=keys, **{name: _convert(name, value, kinds[name]) for name, value in told.items()})


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
