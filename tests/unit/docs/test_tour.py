"""The tour names functions; each must exist under the name it gives."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

TOUR = (Path(__file__).parents[3] / "docs" / "tour.md").read_text("utf-8")
ROOMS = sorted(
    folder.name
    for folder in (Path(__file__).parents[3] / "src" / "shudu").iterdir()
    if (folder / "__init__.py").exists()
)
NAMED = sorted(set(re.findall(rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)+)`", TOUR)))


@pytest.mark.parametrize("name", NAMED)
def test_is_there(name: str) -> None:
    pkgutil.resolve_name(f"shudu.{name}")


def test_follows_the_whole_way() -> None:
    """From the first door to the last proof, through every room of the main job."""
    assert len(NAMED) > 60
    assert {name.split(".")[0] for name in NAMED} >= set(ROOMS) - {"config", "identity", "site"}
