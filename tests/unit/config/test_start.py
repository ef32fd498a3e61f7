"""What starting costs: parts that weigh much are loaded by the work that needs them, never by a start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Each takes a tenth of a second or far more to load.
HEAVY = (
    *("numpy", "pyarrow", "duckdb", "onnx", "onnxruntime", "lightgbm", "xgboost", "sqlglot", "openpyxl", "pyiceberg"),
    *("python_calamine", "pandas", "scipy", "sklearn", "rdflib", "tantivy", "pysail", "opendp"),
)
STARTS = {
    "command line": "import shudu.cli.main",
    "worker": "import django; django.setup(); import shudu.runs.worker",
    "web": "import shudu.config.wsgi; from django.urls import reverse; reverse('home')",
}


@pytest.mark.parametrize("start", STARTS)
def test_a_start_loads_nothing_that_weighs_much(start: str, tmp_path: Path) -> None:
    code = f"{STARTS[start]}; import sys, json; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    environment = os.environ | {"SHUDU_HOME": str(tmp_path), "SHUDU_KEYS": f"{tmp_path}.keys"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == []
