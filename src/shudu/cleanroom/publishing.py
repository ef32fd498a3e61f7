"""From a release that was worked out to files that wait for the run to close: compared, entered, written, held.

Between comparing a release with earlier ones and entering it, nobody else may enter one of the same data: whoever is
overtaken compares again. From then on later ones are compared with it, whether it has left yet or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa

from shudu.catalog.types import Offered
from shudu.identity import queries as identity
from shudu.lake import queries as lake
from shudu.lake.types import Column, Place
from shudu.policy import clock
from shudu.policy.types import Conflict
from shudu.runs.types import Hold, Work

from . import actions, queries, release, sketches
from .procedures import RELEASE
from .release_policy import ReleasePolicy

FORMAT = "shudu-checks/1"
_TRIES = 50


def check_cap(work: Work, cap: int) -> None:
    """Has the agreement any release left today? Before anything is computed; asked again when one is entered."""
    if not queries.is_entered(work.run) and sketches.left_today(work.input("data").agreement, cap) < 1:
        raise actions.daily_cap(cap)


def work_out(
    work: Work,
    data: Offered,
    make: Callable[[release.History], release.Released],
    policy: ReleasePolicy,
    *,
    review: bool,
) -> dict[str, Any]:
    """What `compute` hands on: the product's files, its shape, the checks, and what a person must look at.

    `make` works the release out against what left before. Raises `Withheld` when the rules let nothing out, with one
    code for all of them: which rule it was only the data's owner learns.
    """
    keys = sketches.Keys(data.owner, data.asset)
    for _ in range(_TRIES):
        seen, history = sketches.history(keys, data.asset, work.run)
        try:
            found: release.Released | release.ReleaseRefused = make(history)
        except release.ReleaseRefused as error:
            found = error
        sketch = found.sketch if isinstance(found, release.Released) else None
        try:
            _enter(work, data, seen, sketches.sealed(keys, sketch) if sketch else None, policy)
        except actions.Overtaken:
            continue
        return _store(work, data, found, policy, review)
    raise RuntimeError("overtaken by other releases again and again")


def decision(work: Work, days: int) -> Mapping[str, Any] | Hold:
    """What was decided about a held release (empty for one that was not), or that nobody has decided yet.

    Raises `Withheld` when the approval is older than so many days, or the files are not those that were approved.
    """
    made = work.done["compute"]
    if not made["held_for"]:
        return {}
    row = queries.release_row(work.run)
    if row.decision != "approved" or row.decided is None:
        return Hold(RELEASE.name, row.owner, tuple(made["held_for"]))
    old = row.decided + timedelta(days=days) < clock.now()
    names = [file["name"] for file in made["files"]]
    if old or row.files != _digests(made["files"]) or not all(queries.held_file(row, name) for name in names):
        raise actions.withheld()
    return {
        "case": queries.case_of(work.run),
        "by": row.decided_by,
        "held_for": row.held_for,
        "opinion_sha256": row.opinion_sha256,
        "time": clock.stamp(row.decided),
    }


def _enter(work: Work, data: Offered, seen: int, sketch: sketches.Sealed | None, policy: ReleasePolicy) -> None:
    actions.enter(
        identity.system(),
        work.run,
        asset=data.asset,
        version=data.version,
        owner=data.owner,
        agreement=work.input("data").agreement,
        seen=seen,
        sketch=sketch,
        cap=policy.releases_per_day,
    )


def _store(
    work: Work, data: Offered, found: release.Released | release.ReleaseRefused, policy: ReleasePolicy, review: bool
) -> dict[str, Any]:
    checks = [check.to_json() for check in found.checks]
    evidence, days = _write_checks(work, data, checks, policy), policy.decide_days
    if isinstance(found, release.ReleaseRefused):
        actions.note(identity.system(), work.run, evidence=evidence, held_for=[], files={}, days=days)
        refused = actions.withheld()
        refused.checks = checks
        raise refused
    table, held_for = found.table, [*found.held, *(["review"] if review else [])]
    products = {"product.csv": release.to_csv(table), "product.parquet": release.to_parquet(table)}
    where = Place(work.party, work.done["bind"]["asset"], work.done["bind"]["version"])
    files = [file.to_json() for file in lake.store().write_files(products, where)]
    actions.note(identity.system(), work.run, evidence=evidence, held_for=held_for, files=_digests(files), days=days)
    return {
        "files": files,
        "columns": [column.to_json() for column in _columns(table.schema)],
        "rows": table.num_rows,
        "checks": checks,
        "held_for": held_for,
        "meters": {"rows_out": table.num_rows, "bytes_out": sum(file["bytes"] for file in files)},
    }


def _write_checks(work: Work, data: Offered, checks: list[dict[str, Any]], policy: ReleasePolicy) -> dict[str, Any]:
    """checks.json, encrypted, among the files of the data's owner; the sweep takes what other attempts wrote."""
    found = {"format": FORMAT, "run": work.run, "version": data.version, "policy": asdict(policy), "checks": checks}
    text = json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True, default=sorted) + "\n"
    place = Place(data.owner, data.asset, f"{work.run}-{work.attempt}")
    try:
        file = lake.store().write_files({"checks.json": text.encode()}, place, encrypted=True)[0]
    except Conflict:  # an attempt that was taken over wrote one with other counts
        place = replace(place, version=f"{place.version}-again")
        file = lake.store().write_files({"checks.json": text.encode()}, place, encrypted=True)[0]
    return {"file": file.to_json(), "version": place.version}


def _digests(files: list[dict[str, Any]]) -> dict[str, str]:
    return {str(file["name"]): str(file["sha256"]) for file in files}


def _columns(schema: pa.Schema) -> tuple[Column, ...]:
    return tuple(Column(field.name, _DUCKDB.get(str(field.type), "VARCHAR"), field.nullable) for field in schema)


_DUCKDB = {"bool": "BOOLEAN", "int64": "BIGINT", "double": "DOUBLE"}
