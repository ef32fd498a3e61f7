"""What the sandbox runs for each kind of model, and what it binds for it beyond numpy and pyarrow."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from .sandbox import Limits

_INSIDE = Path(__file__).with_name("inside_kinds")
# The package asks for its own version when it is imported.
_DUCKDB = f"duckdb-{version('duckdb')}.dist-info"


@dataclass(frozen=True, slots=True)
class Evaluator:
    """`path` is the one file that runs; see `inside_kinds` for what it holds.

    `packages` name what stands in site-packages and is bound read-only: a folder, a module file or a library without
    its suffix, all its own dependencies listed too. The `NAME.libs` beside a package comes with it; where it is called
    after the distribution instead, list it (`xgboost_cpu.libs`). `limits` are the default of this kind of model.
    `beside` are files of ours that `path` imports, by their names in `inside_kinds`; they import nothing of ours but
    each other. `cpuinfo` shows the job /proc/cpuinfo, and nothing else of /proc.
    """

    path: Path
    packages: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    cpuinfo: bool = False
    beside: tuple[str, ...] = ()

    def binds(self) -> list[tuple[Path, str]]:
        """The files of ours, and where the job finds them."""
        ours = [(_INSIDE / name, f"/site/shudu/cleanroom/inside_kinds/{name}") for name in self.beside]
        return [(self.path, "/in/evaluator.py"), *ours]


_DECLARED = ("declared.py",)
_ONNX = (*_DECLARED, "onnx_checks.py", "protobuf.py")

EVALUATORS: dict[str, Evaluator] = {
    "lightgbm": Evaluator(_INSIDE / "lightgbm.py", ("lightgbm",), beside=_DECLARED),
    "onnx": Evaluator(_INSIDE / "onnx.py", ("onnxruntime",), Limits(memory_mb=768), cpuinfo=True, beside=_ONNX),
    "scorecard": Evaluator(_INSIDE / "scorecard.py"),
    "sql": Evaluator(_INSIDE / "sql.py", ("_duckdb", "duckdb", _DUCKDB), Limits(memory_mb=1_024), beside=_DECLARED),
    "xgboost": Evaluator(_INSIDE / "xgboost.py", ("xgboost", "xgboost_cpu.libs"), beside=_DECLARED),
}
