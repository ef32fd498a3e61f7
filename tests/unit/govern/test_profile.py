"""What the columns of a table look like, and what is never shown of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shudu.govern.profile import ProfileObserver
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Reading

PLACE = Place("pty_one", "ast_one", "ver_one")
ROWS = 2_000


@pytest.fixture
def profile(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    def look(text: str) -> dict[str, Any]:
        path = tmp_path / "a.csv"
        path.write_text(text, "utf-8")
        store = DuckDBStore(tmp_path / "home", None, {"profile": ProfileObserver})  # type: ignore[arg-type]
        stored = store.land(path, PLACE, Reading(), key="no")
        found: dict[str, Any] = stored.observations["profile"]
        return found

    return look


def test_a_profile(profile: Callable[[str], dict[str, Any]]) -> None:
    lines = [
        f"K{n},{n},{['月付', '年付'][n % 4 == 0]},{'' if n % 10 else n},2024-01-{n % 28 + 1:02}" for n in range(ROWS)
    ]
    found = profile("no,value,plan,rare,day\n" + "\n".join(lines) + "\n")
    columns = found["columns"]
    assert found["rows"] == ROWS
    assert columns["rare"]["nulls"] == ROWS * 9 // 10
    assert columns["plan"]["top"] == [["月付", ROWS * 3 // 4], ["年付", ROWS // 4]]
    assert (columns["value"]["min"], columns["value"]["max"]) == (0, ROWS - 1)
    assert (columns["day"]["min"], columns["day"]["max"]) == ("2024-01-01", "2024-01-28")
    assert columns["value"]["distinct"] == pytest.approx(ROWS, rel=0.1)
    # Equal frequencies: a twentieth of the rows lies between two neighbours.
    quantiles = columns["value"]["quantiles"]
    assert len(quantiles) == 21
    assert [round(each) for each in quantiles] == pytest.approx([ROWS * n / 20 for n in range(21)], abs=ROWS * 0.02)
    assert set(columns["no"]) == {"nulls", "distinct"}


def test_nothing_that_points_at_anybody(profile: Callable[[str], dict[str, Any]]) -> None:
    lines = [f"K{n},138{n:08},{5_000 + n},王小明,独一份{n}" for n in range(ROWS)]
    found = profile("no,手机号,月收入,姓名,备注\n" + "\n".join(lines) + "\n")
    for name in ("no", "手机号", "月收入", "姓名"):
        assert set(found["columns"][name]) == {"nulls", "distinct"}, name
    assert "top" not in found["columns"]["备注"]
    assert "王小明" not in str(found)
    assert "138000" not in str(found)
