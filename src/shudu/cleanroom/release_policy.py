"""The rules of release class A in one place. Each owner may ask for stricter ones; of two policies the stricter wins.

A change here changes what may leave. Give the reason in the commit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """Defaults, and what each is for."""

    # Fewest distinct entities behind any released row. 10 is the customary threshold of statistical offices for
    # ordinary data; ask for 50 where a group-by column is sensitive.
    min_group: int = 10

    # Dominance, NK(2, 90 %): where the two largest contributors make up more than this share of all contributions, a
    # mean tells those two nearly about each other.
    dominant_entities: int = 2
    dominant_share: float = 0.90

    # Significant digits of a released number: enough for a comparison, too few to hide a row in.
    significant_digits: int = 3

    # The size of one release. A larger one is a table, not a statistic.
    max_rows: int = 1_000
    max_columns: int = 20
    max_bytes: int = 64 * 1_024

    # A category is a short word; anything longer is free text, which may name a person.
    max_text: int = 64


# Where the stricter value is the larger one; for every other rule it is the smaller.
_LARGER_IS_STRICTER = frozenset({"dominant_entities", "min_group"})


def strictest(a: ReleasePolicy, b: ReleasePolicy) -> ReleasePolicy:
    """The stricter of both, rule by rule."""
    return ReleasePolicy(
        **{
            one.name: (max if one.name in _LARGER_IS_STRICTER else min)(getattr(a, one.name), getattr(b, one.name))
            for one in fields(ReleasePolicy)
        }
    )


DEFAULTS = ReleasePolicy()
