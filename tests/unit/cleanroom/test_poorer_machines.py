"""Parts are really taken away from the machine; then no model runs, and the reason is said in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .machine import REPOSITORY

MACHINE = Path(__file__).with_name("machine.py")
# What a worker would do: run a model; and what a person would: ask why not.
ASK = """
import json
import pyarrow as pa
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.diagnosis import diagnose
from shudu.cleanroom.sandbox import JobSpec, OutputSpec, SandboxUnavailable, job_folder
with job_folder() as folder:
    rows = pa.table({"x": [1.0, None]})
    with pa.OSFile(str(folder / "data"), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    card = {"base": 0, "inputs": [{"column": "x", "kind": "number", "bins": [{"points": 1}], "missing": 0}]}
    inputs, output = (("x", "number"),), OutputSpec("score", 0, 1)
    job = JobSpec("scorecard", json.dumps(card).encode(), folder / "data", 2, inputs, output)
    try:
        Bubblewrap().run(job)
        ran = None
    except SandboxUnavailable as error:
        ran = [error.code, error.message.zh, error.message.en, error.remedy.zh, str(error.where)]
found = diagnose()
print(json.dumps({"ran": ran, "there": {part.name: part.there for part in found.parts},
                  "remedies": {part.name: part.remedy.en for part in found.parts},
                  "ready": found.capabilities is not None}))
"""


def on_a_machine(*without: str, script: str = ASK) -> dict[str, Any]:
    """What `script` prints where these things are missing."""
    command = [sys.executable, str(MACHINE), *without, "--", sys.executable, "-B", "-c", script]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "src"), "HOME": "/nowhere"}
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


NAMESPACES, SECCOMP, LANDLOCK = "ENOSPC", "prctl(PR_SET_SECCOMP)", "Landlock: Function not implemented"


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (("namespaces",), NAMESPACES),
        (("namespaces", "plain"), NAMESPACES),
        (("seccomp",), SECCOMP),
        (("landlock",), LANDLOCK),
        (("landlock", "plain"), LANDLOCK),
        (("bubblewrap",), "{}"),
    ],
    ids=" ".join,
)
def test_no_model_runs_and_the_reason_is_said(without: tuple[str, ...], said: str) -> None:
    found, missing = on_a_machine(*without), without[0]
    assert found["ran"] is not None
    code, zh, en, remedy, where = found["ran"]
    assert code == "sandbox.unavailable"
    assert "模型不予运行" in zh
    assert "no model is run" in en
    assert remedy
    assert said in where
    assert not found["ready"]
    assert not found["there"][missing]
    assert found["remedies"][missing]
    assert all(found["there"][part] for part in ("bubblewrap", "seccomp", "landlock") if part != missing)


def test_a_container_that_forbids_namespaces() -> None:
    found = on_a_machine("unshare")
    assert found["ran"][0] == "sandbox.unavailable"
    assert "Operation not permitted" in found["ran"][4]


def test_with_everything_it_runs() -> None:
    """The contrary, on the same way: what the others lacked is what stopped them."""
    found = on_a_machine("plain")
    assert found["ready"], found
    assert found["ran"] is None
    assert not found["there"]["own_user"], "which is said, for it is weaker"
