"""Showing tables to other engines (`lake.projection`): which versions of which assets, after they have changed.

Only what lies in plain Parquet is shown: from level 3 on a table is encrypted and never is. Nor is what a run made: it
is delivered under its agreement. The worker does it, so publishing waits for nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from shudu.lake import queries as lake
from shudu.lake.types import Shown
from shudu.policy.types import ShuduError

from . import queries

log = logging.getLogger("shudu.catalog")


def show_due() -> None:
    """Show every asset that has changed since it was last shown; in a home where nothing is shown yet, every asset."""
    notes = lake.notes()
    if notes.fresh:
        _note_all()
    for asset in notes.each():
        try:
            for version, fault in show(asset).items():
                log.warning("%s cannot be shown to other engines, because of %s", version, fault)
        except Exception as error:  # whatever it is, the other assets and the worker do not wait for it
            notes.add(asset)
            said = error if isinstance(error, ShuduError) else type(error).__name__
            log.error("%s could not be shown to other engines and will be tried again: %s", asset, said)
            log.debug("its traceback", exc_info=True)


def note(asset_id: str) -> None:
    """An asset has changed; the worker will show it so."""
    if queries.showable().filter(pk=asset_id).exists():
        lake.notes().add(asset_id)


def show(asset_id: str) -> Mapping[str, str]:
    """Show an asset's live versions and nothing else of it; returns those that cannot be, with what is at fault."""
    row = queries.showable().get(pk=asset_id)

    def live() -> list[Shown]:
        return [Shown(queries.table(each), each.number, each.created) for each in queries.live(asset_id)]

    said = {"shudu.asset": row.id, "shudu.code": row.code, "comment": next(iter(row.title.values()), "")}
    return lake.projection().show(row.owner, row.id, live, said)


def show_all() -> dict[str, Mapping[str, str]]:
    """Show everything anew, from nothing; returns each asset with the versions of it that cannot be shown.

    Noted first, so that the worker goes on where this was killed.
    """
    _note_all()
    lake.projection().clear()
    return {asset: show(asset) for asset in queries.showable().order_by("id").values_list("id", flat=True)}


def _note_all() -> None:
    for asset in queries.showable().values_list("id", flat=True):
        lake.notes().add(asset)
