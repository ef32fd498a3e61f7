from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.console import Console


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A person with an empty folder."""
    person = Console(tmp_path)
    yield person
    person.close()


@pytest.fixture
def newcomer(tmp_path: Path) -> Console:
    """The same, starting a new interpreter for every command."""
    return Console(tmp_path, fresh=True)
