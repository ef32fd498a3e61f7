"""What the README says to paste is pasted, in a copy of the repository's examples, and the main job comes out.

The Chinese README's commands are the same lines (tests/unit/docs), so one of the two is run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"```sh\n(export SHUDU_HOME.*?)```", re.DOTALL)


def test_by_hand(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "docs" / "example", tmp_path / "docs" / "example")
    script = BLOCK.search((REPOSITORY / "README.zh-CN.md").read_text("utf-8"))
    assert script
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SHUDU_", "DJANGO_"))}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script[1]],
        cwd=tmp_path,
        env={**env, "LANG": "zh_CN.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n回执成立" in done.stdout
    assert "不成立" not in done.stdout
    assert (tmp_path / "product.csv").read_text("utf-8").count("\n") == 4  # a header and three contracts
