from pathlib import Path

import pytest
from journeys_console import Console  # placed on the path below


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)
