"""docs/procedures.md shows every procedure as the engine draws it. `make golden` writes the page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "procedures.md"
HEAD = """\
# Procedures 事项

Which states a case 办件 passes through and who may take each step, drawn from the tables that run it. A running case
keeps the version it was opened under. Written by `make golden`.
"""
# In a process of its own: tests register procedures too.
DRAW = """
import django

django.setup()
from shudu.cases.procedures import procedures

for one in procedures():
    print(f"\\n## {one.name}, version {one.version}")
    for language in ("zh", "en"):
        print(f"\\n```mermaid\\n{one.draw(language)}```")
"""


def test_golden_procedures_page() -> None:
    drawn = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True, timeout=60).stdout
    if os.environ.get("SHUDU_GOLDEN") == "write":
        PAGE.write_text(HEAD + drawn, encoding="utf-8")
    assert "## order, version 1" in drawn
    assert PAGE.read_text("utf-8") == HEAD + drawn
