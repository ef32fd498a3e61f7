"""What the sandbox runs for each kind of model, and what it binds for it beyond numpy and pyarrow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .sandbox import Limits

_INSIDE = Path(__file__).with_name("inside_kinds")


@dataclass(frozen=True, slots=True)
class Evaluator:
    """`path` is the one file that runs; see `inside_kinds` for what it holds.

    `packages` name what stands in site-packages and is bound read-only: a folder, a module file or a library without
    its suffix, all its own dependencies listed too. The `NAME.libs` beside a package comes with it; where it is called
    after the distribution instead, list it (`xgboost_cpu.libs`). `limits` are the default of this kind of model.
    `cpuinfo` shows the job /proc/cpuinfo, and nothing else of /proc.
    """

    path: Path
    packages: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    cpuinfo: bool = False


EVALUATORS: dict[str, Evaluator] = {
    "scorecard": Evaluator(_INSIDE / "scorecard.py"),
}
