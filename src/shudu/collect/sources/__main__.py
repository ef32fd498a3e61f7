"""The process in which a database is read: `python -I -m shudu.collect.sources`, the request as JSON on stdin.

It has no environment, so no file or variable of ours names a server, a password or a certificate to a driver; it binds
memory, processor time and what it may write before it connects. It answers with one line of JSON. A driver's own words
are never passed on: they may quote the password or a row.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from shudu.policy.types import ShuduError

MEMORY = 3 << 30


def main() -> None:
    told = json.loads(sys.stdin.buffer.readline())
    bounds = {"AS": MEMORY, "CPU": told["limits"]["seconds"], "FSIZE": told["limits"]["bytes"] + (64 << 20), "CORE": 0}
    for name, limit in bounds.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    try:
        answer = _answer(told)
    except ShuduError as error:
        answer = {"error": as_json(error)}
    except MemoryError:
        answer = {"failed": "memory"}
    except OSError as error:
        answer = {"failed": "space" if error.errno in (27, 28, 122) else "OSError"}
    except Exception as error:
        answer = {"failed": type(error).__name__}
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def as_json(error: ShuduError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "zh": error.message.zh, "en": error.message.en}
    if error.remedy:
        told |= {"remedy_zh": error.remedy.zh, "remedy_en": error.remedy.en}
    return {**told, "kind": type(error).__name__, "where": dict(error.where)}


def _answer(told: dict[str, Any]) -> dict[str, Any]:
    from .extract import described, extract
    from .kinds import adapter
    from .port import Endpoint, Limits

    limits = Limits(**told["limits"])
    source = adapter(told["kind"]).connect(Endpoint(**told["endpoint"]), limits, told["driver"])
    try:
        if told["asks"] == "tables":
            return {"tables": [{"name": each.name, "view": each.view} for each in source.tables()]}
        if told["asks"] == "fields":
            return {"fields": described(source.fields(told["table"]))}
        beyond = told["beyond"]
        found = extract(
            source,
            told["table"],
            told["columns"],
            (beyond["column"], beyond["value"], beyond["inclusive"]) if beyond else None,
            Path(told["target"]),
            limits,
        )
        return {"rows": found.rows, "odd": found.odd, "fields": found.fields}
    finally:
        source.close()


if __name__ == "__main__":
    main()
