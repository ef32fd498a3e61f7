"""`shudu assets anonymity`: what rows would still tell of single people, before they are offered."""

from __future__ import annotations

from typing import Annotated

import typer

from shudu.policy.types import Text

from .session import As, Home, Json, listed, session, typed

Quasi = Annotated[
    str, typer.Option(metavar="X,Y", help="More columns by which somebody may know a person, besides those suggested.")
]
NotQuasi = Annotated[
    str, typer.Option(metavar="X,Y", help="Suggested columns not to count by; an offer keeps it on record.")
]


def anonymity(
    asset: Annotated[str, typer.Argument(help="The table.")],
    columns: Annotated[str, typer.Option(metavar="X,Y", help="Columns to hand over; all when not given.")] = "",
    where: Annotated[list[str] | None, typer.Option(metavar="COND", help="Only rows such as “tenure >= 12”.")] = None,
    mask: Annotated[list[str] | None, typer.Option(metavar="X=PRESET", help="Show a column masked.")] = None,
    clear: Annotated[str, typer.Option(metavar="X,Y", help="Personal data to hand over as it is.")] = "",
    quasi: Quasi = "",
    not_quasi: NotQuasi = "",
    home: Home = None,
    as_: As = None,
    json: Json = False,
) -> None:
    """k-anonymity and l-diversity of rows as they would be offered, and the masks that would help; for the owner."""
    with session(home, as_, json) as current:
        from shudu.agreements.types import TableRows, masks_of
        from shudu.catalog import queries as catalog
        from shudu.govern import queries

        request = typed(
            TableRows,
            data=asset,
            columns=listed(columns),
            masks=masks_of(mask or []),
            clear=listed(clear),
            where=tuple(where or ()),
            quasi=listed(quasi) if quasi else None,
            not_quasi=listed(not_quasi),
        )
        made = queries.anonymity(current.actor(None if as_ else catalog.asset_row(asset).owner), request)
        found = made.found
        current.show(
            {
                "quasi": list(made.quasi),
                "left_out": list(made.left_out),
                "records": found.records,
                "classes": found.classes,
                "k": found.k,
                "l": found.diversity,
                "records_alone": found.records_alone,
                "classes_below_least": found.classes_below_controlled,
                "records_at_risk": found.below_controlled,
                "prosecutor_risk": round(float(found.prosecutor), 4),
                "marketer_risk": round(float(found.marketer), 4),
                "suits": found.suits,
                "steps": [{"column": step.column, "mask": str(step.mask), "k": step.k} for step in made.steps],
            },
            Text("匿名性报告。", "What the rows still tell of single people."),
        )
