"""What every implementation of the sandbox port owes its callers; a second one is one more line in ADAPTERS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.inside_kinds.scorecard import score
from shudu.cleanroom.sandbox import Capabilities, JobSpec, Sandbox, SandboxError, output_bytes, read_scores

JobMaker = Callable[..., JobSpec]
ADAPTERS: dict[str, Callable[[], Sandbox]] = {"bubblewrap": Bubblewrap}


@pytest.fixture(params=sorted(ADAPTERS))
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return ADAPTERS[request.param]()


def test_every_row_is_scored_and_the_data_untouched(sandbox: Sandbox, make_job: JobMaker) -> None:
    job = make_job(1_000)
    before = hashlib.sha256(job.data.read_bytes()).hexdigest()
    scores = read_scores(sandbox.run(job), 1_000, job.output)
    table = pa.ipc.open_file(str(job.data)).read_all()
    columns = [table.column(name).combine_chunks() for name in table.column_names]
    assert np.array_equal(scores, score(json.loads(job.model), columns))
    assert len(set(scores)) > 5
    assert hashlib.sha256(job.data.read_bytes()).hexdigest() == before


def test_the_same_job_gives_the_same_bytes_as_many_as_its_rows_need(sandbox: Sandbox, make_job: JobMaker) -> None:
    job = make_job(500)
    first = sandbox.run(job)
    assert first == sandbox.run(job)
    assert len(first) == output_bytes(500)


def test_no_rows_are_no_scores(sandbox: Sandbox, make_job: JobMaker) -> None:
    job = make_job(0)
    assert len(read_scores(sandbox.run(job), 0, job.output)) == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": b"{"}, "model.failed"),
        ({"rows": 9}, "model.output"),  # more than was to come
        ({"rows": 11}, "model.failed"),
        ({"inputs": (("tenure", "number"),)}, "model.failed"),
    ],
)
def test_a_job_that_does_not_fit_fails_by_a_code(
    sandbox: Sandbox, make_job: JobMaker, change: dict[str, object], code: str
) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.run(replace(make_job(10), **change))
    assert caught.value.code == code
    assert not caught.value.where


def test_the_wall_clock_ends_it(sandbox: Sandbox, make_job: JobMaker) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.run(make_job(10, wall_seconds=0.001))
    assert caught.value.code == "model.timeout"


def test_too_little_memory_ends_it(sandbox: Sandbox, make_job: JobMaker) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.run(make_job(10, memory_mb=120))
    assert caught.value.code in ("model.memory", "model.failed")


def test_a_kind_it_does_not_run_is_a_fault_of_the_caller(sandbox: Sandbox, make_job: JobMaker) -> None:
    with pytest.raises(ValueError, match="no sandbox runs"):
        sandbox.run(replace(make_job(10), kind="pickle"))


def test_data_others_could_read_is_not_taken(sandbox: Sandbox, make_job: JobMaker) -> None:
    job = make_job(10)
    job.data.parent.chmod(0o755)
    with pytest.raises(ValueError, match="private"):
        sandbox.run(job)


def test_its_account_of_itself_is_json_and_comes_back(sandbox: Sandbox) -> None:
    found = sandbox.capabilities()
    assert found.backend in ADAPTERS
    assert "scorecard" in found.kinds
    assert found.interfaces == ("lo",)
    assert Capabilities.from_report(json.loads(json.dumps(found.report()))) == found
