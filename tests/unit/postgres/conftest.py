from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.postgres.server import Server, running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as made:
        yield made
