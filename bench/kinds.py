"""Each kind of model in the clean room, beside the same evaluator unprotected in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ._measure import Cost, cost_of, folder, least, open_house, report, said, sizes
from ._page import amount, table, write

KINDS = ("scorecard", "sql", "lightgbm", "xgboost", "onnx")
COLUMNS = 20
NAMES = [f"n{at}" for at in range(COLUMNS)]
TREES = 50


def rows_for(target: Path, rows: int) -> None:
    chance = np.random.default_rng(1)
    data = pa.table({name: chance.uniform(0, 96, rows) for name in NAMES})
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=65_536)


def model(kind: str) -> Any:
    """An admitted model of the kind on twenty numbers; trees are fifty of fifteen leaves."""
    from shudu.cleanroom.kinds import KINDS as READERS

    about = dict.fromkeys(("task", "trained_on", "intended_use", "limits", "metrics", "contact"), "bench")
    inputs = [{"column": name, "kind": "number"} for name in NAMES]
    card: dict[str, Any] = {"format": "shudu-model-card/1", "name": "bench", "inputs": inputs, "card": about}
    card["output"] = {"min": 0, "max": 1}
    chance = np.random.default_rng(2)
    seen = chance.uniform(0, 96, (4_000, COLUMNS))
    wanted = (seen[:, 0] + seen[:, 1] * seen[:, 2] / 96 + chance.normal(0, 5, len(seen)) > 75).astype(int)
    if kind == "scorecard":
        ends = [None, 24, 48, 72, None]
        bins = [{"from": a, "to": b, "points": at} for at, (a, b) in enumerate(pairwise(ends))]
        made = [{"column": name, "kind": "number", "bins": bins, "missing": 0} for name in NAMES]
        del about["metrics"]
        whole = {"format": "shudu-scorecard/1", "name": "bench", "base": 0, "inputs": made, "card": about}
        whole["output"] = {"name": "score", "min": 0, "max": 100}
        return READERS[kind].admit(json.dumps(whole).encode(), None)
    if kind == "sql":
        sums = " + ".join(
            f"CASE WHEN {name} < 24 THEN 0.1 WHEN {name} < 72 THEN {name} / 96 ELSE 1 END" for name in NAMES
        )
        return READERS[kind].admit(f"SELECT ({sums}) / {COLUMNS} FROM input".encode(), card)
    if kind == "xgboost":
        import xgboost

        data = xgboost.DMatrix(seen, wanted, feature_names=NAMES, nthread=1)
        told = {"objective": "binary:logistic", "nthread": 1, "max_leaves": 15, "grow_policy": "lossguide"}
        return READERS[kind].admit(bytes(xgboost.train(told, data, TREES).save_raw("ubj")), card)
    import lightgbm

    told = {"objective": "binary", "verbose": -1, "num_leaves": 15, "num_threads": 1, "deterministic": True}
    booster = lightgbm.train(told, lightgbm.Dataset(seen, wanted, feature_name=NAMES), TREES)
    if kind == "lightgbm":
        return READERS[kind].admit(booster.model_to_string().encode(), card)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        shape = [("rows", FloatTensorType([None, COLUMNS]))]
        made = convert_lightgbm(booster, initial_types=shape, zipmap=False, target_opset=15)
    card["output"] |= {"tensor": "probabilities", "index": 1}
    return READERS[kind].admit(made.SerializeToString(), card)


def protected(place: Path, kind: str, rows: int) -> Cost:
    open_house(place / "home")
    from shudu.cleanroom.bubblewrap import sandbox
    from shudu.cleanroom.evaluators import EVALUATORS
    from shudu.cleanroom.sandbox import JobSpec, OutputSpec, job_folder, read_scores

    found = model(kind)
    output = OutputSpec("score", *found.range)
    sandbox().capabilities()
    with job_folder() as inside:
        rows_for(inside / "data", rows)
        job = JobSpec(kind, found.job, inside / "data", rows, found.inputs, output, EVALUATORS[kind].limits)
        kept: list[Any] = []
        cost = cost_of(lambda: kept.append(read_scores(sandbox().run(job), rows, output)))
    return Cost(cost.cpu, cost.wall, cost.peak_mb, {"sum": float(kept[0].sum())})


def unprotected(place: Path, kind: str, rows: int) -> Cost:
    """`inside.py` and the same evaluator in a fresh process with the same packages, and nothing around them."""
    open_house(place / "home")
    from shudu.cleanroom import inside
    from shudu.cleanroom.command import ENVIRONMENT
    from shudu.cleanroom.evaluators import EVALUATORS
    from shudu.cleanroom.execution import frame
    from shudu.cleanroom.runtime import packages
    from shudu.cleanroom.sandbox import JobSpec, OutputSpec

    found, evaluator = model(kind), EVALUATORS[kind]
    rows_for(place / "data", rows)
    site = place / "site"
    ours = site / "shudu" / "cleanroom" / "inside_kinds"
    ours.mkdir(parents=True)
    for source, _ in packages(("numpy", "pyarrow", *evaluator.packages)):
        (site / source.name).symlink_to(source)
    for source, _ in evaluator.binds()[1:]:
        (ours / source.name).symlink_to(source)
    job = JobSpec(kind, found.job, place / "data", rows, found.inputs, OutputSpec("score", *found.range))
    told = {name: value for name, value in ENVIRONMENT.items() if name != "LD_LIBRARY_PATH"}
    told["PYTHONPATH"] = str(site)
    command = [sys.executable, "-S", "-B", "-P", inside.__file__, str(evaluator.path), str(place / "data")]
    kept: list[bytes] = []

    def work() -> None:
        done = subprocess.run(command, env=told, input=frame(job), stdout=subprocess.PIPE, check=True)
        kept.append(done.stdout)

    cost = cost_of(work)
    scores = pa.ipc.open_stream(kept[0]).read_all().column(0).to_numpy()
    return Cost(cost.cpu, cost.wall, cost.peak_mb, {"sum": float(scores.sum())})


WAYS = {f"{kind}-{way.__name__}": (way, kind) for way in (protected, unprotected) for kind in KINDS}


def main() -> None:
    amounts = sizes("10k,100k,1m")
    rows, worst = [], 0.0
    for kind in KINDS:
        for size in amounts:
            ours, theirs = (least("kinds", f"{kind}-{way}", size) for way in ("protected", "unprotected"))
            assert ours.found["sum"] == theirs.found["sum"], "the two score differently"
            ratio = ours.cpu / theirs.cpu
            worst = max(worst, ratio) if size == amounts[-1] else worst
            costs = [amount(ours.cpu), amount(theirs.cpu), f"{ratio:.2f}×", amount(ours.wall), amount(theirs.wall)]
            rows.append([kind, said(size), *costs])
    write(
        "kinds",
        "Each kind of model in the clean room",
        amounts,
        f"A model of each kind over {COLUMNS} numbers; trees are {TREES} of fifteen leaves. Sandbox: everything around "
        "the evaluator, and the check of every byte it wrote. Script: the same `inside.py` and evaluator in a fresh "
        "process with the same packages and nothing around them.",
        table(["kind", "rows", "sandbox CPU s", "script CPU s", "ratio", "sandbox s", "script s"], rows),
        f"Budget: at most 1.3× the script's CPU at the largest size ({'met' if worst <= 1.3 else 'not met'}: at most "
        f"{worst:.2f}×).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        with folder() as own:
            way, kind = WAYS[sys.argv[2]]
            report(way(own, kind, int(sys.argv[3])))
    else:
        main()
