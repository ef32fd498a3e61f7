"""Each kind of model in the clean room, beside the same evaluator unprotected in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ._measure import Cost, cheapest, cost_of, each, folder, open_house, report, said, sizes
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


def measured(place: Path, kind: str, amounts: list[int]) -> Iterator[Cost]:
    """At each size what it costs in the clean room, then the same unprotected; the model is made once."""
    open_house(place / "home")
    from shudu.cleanroom.bubblewrap import sandbox
    from shudu.cleanroom.evaluators import EVALUATORS
    from shudu.cleanroom.sandbox import JobSpec, OutputSpec, job_folder

    found = model(kind)
    output = OutputSpec("score", *found.range)
    site = site_packages(place / "site", kind)
    sandbox().capabilities()
    for rows in amounts:
        with job_folder() as inside:
            rows_for(inside / "data", rows)
            job = JobSpec(kind, found.job, inside / "data", rows, found.inputs, output, EVALUATORS[kind].limits)
            ours = cheapest(partial(protected, job), rows)
            theirs = cheapest(partial(unprotected, job, site), rows)
        assert ours.found == theirs.found, "the two score differently"
        yield from (ours, theirs)


def protected(job: Any) -> Cost:
    from shudu.cleanroom.bubblewrap import sandbox
    from shudu.cleanroom.sandbox import read_scores

    kept: list[Any] = []
    cost = cost_of(lambda: kept.append(read_scores(sandbox().run(job), job.rows, job.output)))
    return replace(cost, found={"sum": float(kept[0].sum())})


def site_packages(site: Path, kind: str) -> Path:
    """A folder with the packages the evaluator of this kind may use, and its modules, as in the clean room."""
    from shudu.cleanroom.evaluators import EVALUATORS
    from shudu.cleanroom.runtime import packages

    evaluator = EVALUATORS[kind]
    ours = site / "shudu" / "cleanroom" / "inside_kinds"
    ours.mkdir(parents=True)
    for source, _ in packages(("numpy", "pyarrow", *evaluator.packages)):
        (site / source.name).symlink_to(source)
    for source, _ in evaluator.binds()[1:]:
        (ours / source.name).symlink_to(source)
    return site


def unprotected(job: Any, site: Path) -> Cost:
    """`inside.py` and the same evaluator in a fresh process with the same packages, and nothing around them."""
    from shudu.cleanroom import inside
    from shudu.cleanroom.command import ENVIRONMENT
    from shudu.cleanroom.evaluators import EVALUATORS
    from shudu.cleanroom.execution import frame

    told = {name: value for name, value in ENVIRONMENT.items() if name != "LD_LIBRARY_PATH"}
    told["PYTHONPATH"] = str(site)
    command = [sys.executable, "-S", "-B", "-P", inside.__file__, str(EVALUATORS[job.kind].path), str(job.data)]
    kept: list[bytes] = []

    def work() -> None:
        done = subprocess.run(command, env=told, input=frame(job), stdout=subprocess.PIPE, check=True)
        kept.append(done.stdout)

    cost = cost_of(work)
    scores = pa.ipc.open_stream(kept[0]).read_all().column(0).to_numpy()
    return replace(cost, found={"sum": float(scores.sum())})


def main() -> None:
    amounts = sizes("10k,100k,1m")
    rows, worst = [], 0.0
    for kind in KINDS:
        costs = each("kinds", kind, amounts)
        for size, ours, theirs in zip(amounts, costs[::2], costs[1::2], strict=True):
            ratio = ours.cpu / theirs.cpu
            worst = max(worst, ratio) if size == amounts[-1] else worst
            seconds = [amount(ours.cpu), amount(theirs.cpu), f"{ratio:.2f}×", amount(ours.wall), amount(theirs.wall)]
            rows.append([kind, said(size), *seconds])
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
            for cost in measured(own, sys.argv[2], list(map(int, sys.argv[3:]))):
                report(cost)
    else:
        main()
