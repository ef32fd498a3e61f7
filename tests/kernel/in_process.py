"""The clean room's evaluator without its walls, for tests that score thousands of times.

Only the sandbox object is exchanged: the rows are exported to the same file, the same `inside.py` scores them, and what
it writes is read and released as ever. What the walls hold is tested in tests/unit/cleanroom.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict

import pyarrow as pa

from shudu.cleanroom import inside
from shudu.cleanroom.evaluators import EVALUATORS
from shudu.cleanroom.sandbox import Capabilities, JobSpec

_NO_WALLS = Capabilities(
    backend="in-process",
    version="0",
    kinds=("scorecard",),
    kernel="",
    namespaces=(),
    interfaces=(),
    seccomp=0,
    seccomp_sha256="",
    landlock=0,
    no_new_privs=0,
    capabilities=0,
    uid=0,
    uid_per_job=False,
    limits=(),
    cgroup_version=0,
    cgroups=(),
)


class InProcess:
    """A `Sandbox` that contains nothing; `before` is called each time it is asked to score."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.before = before

    def run(self, job: JobSpec) -> bytes:
        self.before()
        scores = io.BytesIO()
        evaluator = inside.evaluator(str(EVALUATORS[job.kind].path))
        score = evaluator.load(job.model, [list(one) for one in job.inputs], asdict(job.output))
        with pa.OSFile(str(job.data)) as rows:
            inside.write_scores(inside.score_file(score, [column for column, _ in job.inputs], rows), scores)
        return scores.getvalue()

    def capabilities(self) -> Capabilities:
        return _NO_WALLS
