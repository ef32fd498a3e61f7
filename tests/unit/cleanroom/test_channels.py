"""What a hostile model could say to whom, other than by its scores: each channel carries nothing or is a known code.

The evaluators here run where a model would: in the real worker, behind every wall. What is left open (how long a run
takes, which of a few codes it ends in) stands in docs/threat-model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from shudu.cleanroom import bubblewrap
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.evaluators import EVALUATORS, Evaluator
from shudu.cleanroom.sandbox import JobSpec, SandboxError, output_bytes, read_scores

JobMaker = Callable[..., JobSpec]
Hostile = Callable[..., Bubblewrap]

BEGIN = "def load(model, inputs, output):\n    secret = bool(int(model))\n    "


@pytest.fixture
def evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    """The sandbox with these lines for an evaluator; `secret` is the bit they want to tell somebody."""

    def make(lines: str, first: str = "") -> Bubblewrap:
        path = tmp_path / "evaluator.py"
        path.write_text("import os\nimport numpy as np\n" + first + BEGIN + lines.replace("\n", "\n    "), "utf-8")
        path.chmod(0o644)
        Bubblewrap().capabilities()  # the self-check would notice
        monkeypatch.setitem(EVALUATORS, "scorecard", Evaluator(path))
        return Bubblewrap()

    yield make
    bubblewrap._ahead.dismiss()


def outcomes(sandbox: Bubblewrap, make_job: JobMaker, rows: int = 50) -> list[str]:
    """How the job ends for either secret, as a buyer is told."""
    told = []
    for secret in (0, 1):
        job = make_job(rows, model=secret)
        try:
            raw = sandbox.run(job)
            read_scores(raw, rows, job.output)
            told.append(f"{len(raw)} bytes")
        except SandboxError as error:
            told.append(f"{error.code} {error.message} {error.remedy} {error.where} {error}")
    return told


def test_the_size_of_the_output_says_nothing(evaluator: Hostile, make_job: JobMaker) -> None:
    same = outcomes(evaluator("return lambda batch: np.full(batch.num_rows, float(secret))"), make_job)
    assert same == [f"{output_bytes(50)} bytes"] * 2


@pytest.mark.parametrize(
    "lines",
    [
        "os.write(1, b'x' * (1 + secret))\nreturn lambda batch: np.zeros(batch.num_rows)",
        "return lambda batch: np.zeros(batch.num_rows + 1 + secret)",
        "return lambda batch: np.zeros(batch.num_rows, np.float32 if secret else np.int64)",
    ],
)
def test_more_or_other_output_ends_alike_for_either_secret(evaluator: Hostile, make_job: JobMaker, lines: str) -> None:
    first, second = outcomes(evaluator(lines), make_job)
    assert first == second
    assert first.startswith(("model.output ", "model.failed "))


@pytest.mark.parametrize("lines", ["raise ValueError('abc' if secret else 'x' * 10_000)", "os._exit(3 + secret)"])
def test_error_text_and_exit_status_end_alike(evaluator: Hostile, make_job: JobMaker, lines: str) -> None:
    first, second = outcomes(evaluator(lines), make_job)
    assert first == second
    assert first.startswith("model.failed ")


def test_not_a_number_carries_no_payload(evaluator: Hostile, make_job: JobMaker) -> None:
    """A NaN has 51 spare bits; it is refused, whichever it is."""
    lines = "bits = 0x7FF8000000000001 if secret else 0x7FF8000000000000\n"
    lines += "return lambda batch: np.full(batch.num_rows, bits, np.uint64).view(np.float64)"
    first, second = outcomes(evaluator(lines), make_job)
    assert first == second
    assert first.startswith("model.output ")


def test_the_receipt_s_account_of_the_sandbox_does_not_depend_on_the_job(
    evaluator: Hostile, make_job: JobMaker
) -> None:
    sandbox = evaluator("return lambda batch: np.full(batch.num_rows, float(secret))")
    before = sandbox.capabilities().report()
    outcomes(sandbox, make_job)
    assert sandbox.capabilities().report() == before


def test_nothing_is_left_for_the_next_job(evaluator: Hostile, make_job: JobMaker) -> None:
    """The first of two jobs tries to leave a mark wherever it can think of; the second gives 1 where it finds one."""
    lines = """
places = ["/in/mark", "/in/rows/mark", "/tmp/mark", "/dev/shm/mark", "/site/mark", "/mark", "/var/tmp/mark"]
if not secret:
    for place in places:
        try:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o666))
        except OSError:
            pass
found = any(os.path.exists(place) for place in places)
return lambda batch: np.full(batch.num_rows, float(found))
"""
    sandbox = evaluator(lines.strip())
    for secret in (0, 1):
        job = make_job(20, model=secret)
        assert np.all(read_scores(sandbox.run(job), 20, job.output) == 0.0)


def test_no_code_is_loaded_once_a_model_is_there(evaluator: Hostile, make_job: JobMaker) -> None:
    """A library that can be loaded while the evaluator is imported cannot be when it has a model."""
    first = """
import ctypes
import importlib.machinery
import sys
def library(name):
    path = f"/py/lib/python{sys.version_info[0]}.{sys.version_info[1]}/lib-dynload/"
    ctypes.CDLL(path + name + importlib.machinery.EXTENSION_SUFFIXES[0])
library("_lsprof")
"""
    lines = """
try:
    library("termios")
except OSError as error:
    assert "failed to map segment" in str(error), error
    return lambda batch: np.zeros(batch.num_rows)
return lambda batch: np.ones(batch.num_rows)
"""
    job = make_job(20, model=0)
    assert np.all(read_scores(evaluator(lines.strip(), first).run(job), 20, job.output) == 0.0)
