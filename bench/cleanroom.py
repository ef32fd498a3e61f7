"""A model run in the clean room, beside the same script unprotected in a fresh process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ._measure import Cost, cost_of, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write

COLUMNS = 20  # sixteen numbers in four bins each, four categories
NAMES = ("按月", "一年", "两年", "其他")


def card() -> dict[str, Any]:
    bins = [
        {"from": low, "to": high, "points": place}
        for place, (low, high) in enumerate(pairwise([None, 24, 48, 72, None]))
    ]
    numbers = [{"column": f"n{at}", "kind": "number", "bins": bins, "missing": 1} for at in range(16)]
    points = {name: place for place, name in enumerate(NAMES[:3])}
    category = {"kind": "category", "points": points, "other": 0, "missing": 1}
    categories = [{"column": f"c{at}", **category} for at in range(4)]
    return {
        "format": "shudu-scorecard/1",
        "name": "bench",
        "base": 100,
        "inputs": [*numbers, *categories],
        "output": {"name": "score", "min": 0, "max": 1_000},
        "card": {"task": "b", "trained_on": "b", "intended_use": "b", "limits": "b", "contact": "b@example.org"},
    }


def rows_for(target: Path, rows: int) -> None:
    """The job's data as `lake` exports it: uncompressed Arrow, in batches of 65,536 rows."""
    chance = np.random.default_rng(1)
    columns: dict[str, Any] = {f"n{at}": chance.uniform(0, 96, rows) for at in range(16)}
    for at in range(4):
        columns[f"c{at}"] = pa.array(np.array(NAMES)[chance.integers(0, 4, rows)])
    data = pa.table(columns)
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=65_536)


def release_rows(rows: int) -> pa.Table:
    """What trusted code groups by: a key and two columns of categories."""
    chance = np.random.default_rng(2)
    return pa.table(
        {
            "key": pa.array(np.char.add("C", np.arange(rows).astype(str))),
            "district": pa.array(np.array(["锦江", "青羊", "金牛", "武侯"])[chance.integers(0, 4, rows)]),
            "contract": pa.array(np.array(NAMES)[chance.integers(0, 4, rows)]),
        }
    )


def protected(place: Path, rows: int) -> Cost:
    """The sandbox's job and the check of every byte it wrote; the machine was checked before, as in a live worker."""
    open_house(place / "home")
    from shudu.cleanroom.bubblewrap import sandbox
    from shudu.cleanroom.release import ReleaseSpec, release
    from shudu.cleanroom.sandbox import JobSpec, OutputSpec, job_folder, read_scores

    output = OutputSpec("score", 0.0, 1_000.0)
    began = time.perf_counter()
    sandbox().capabilities()
    checked = time.perf_counter() - began
    with job_folder() as inside:
        rows_for(inside / "data.arrow", rows)
        inputs = tuple((one["column"], one["kind"]) for one in card()["inputs"])
        spec = JobSpec("scorecard", json.dumps(card()).encode(), inside / "data.arrow", rows, inputs, output)
        kept: list[Any] = []
        cost = cost_of(lambda: kept.append(read_scores(sandbox().run(spec), rows, output)))
    groups = release_rows(rows)
    wanted = ReleaseSpec("key", ("contract", "district"), frozenset({"contract", "district"}))
    after = cost_of(lambda: {"released": release(kept[0], groups, wanted)})
    return Cost(
        cost.cpu, cost.wall, cost.peak_mb, {"check": checked, "release": after.cpu, "sum": float(kept[0].sum())}
    )


def script(place: Path, rows: int) -> tuple[list[str], bytes, dict[str, str]]:
    """Command, input and environment of `inside.py` unprotected, started as it is inside: two packages, no threads."""
    from shudu.cleanroom import inside
    from shudu.cleanroom.command import ENVIRONMENT
    from shudu.cleanroom.evaluators import EVALUATORS
    from shudu.cleanroom.execution import frame
    from shudu.cleanroom.sandbox import JobSpec, OutputSpec

    rows_for(place / "data.arrow", rows)
    inputs = tuple((one["column"], one["kind"]) for one in card()["inputs"])
    output = OutputSpec("score", 0.0, 1_000.0)
    told = frame(JobSpec("scorecard", json.dumps(card()).encode(), place / "data.arrow", rows, inputs, output))
    # The packages the sandbox has and no others: pyarrow looks for what else there is, which takes longer than the job.
    packages = place / "site"
    packages.mkdir()
    for name in ("numpy", "numpy.libs", "pyarrow", "pyarrow.libs"):
        if (there := Path(np.__file__).parents[1] / name).is_dir():
            (packages / name).symlink_to(there)
    start = [sys.executable, "-S", "-B", "-P", inside.__file__]
    command = [*start, str(EVALUATORS["scorecard"].path), str(place / "data.arrow")]
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "LD_LIBRARY_PATH"}
    environment["PYTHONPATH"] = str(packages)
    return command, told, environment


def small(place: Path, rows: int) -> Cost:
    """The same small job as a script, in a sandbox started for it, and in one that stood ready: medians of seven."""
    open_house(place / "home")
    from shudu.cleanroom import bubblewrap
    from shudu.cleanroom.sandbox import JobSpec, OutputSpec, job_folder

    command, told, environment = script(place, rows)
    inputs = tuple((one["column"], one["kind"]) for one in card()["inputs"])
    sandbox = bubblewrap.sandbox()
    sandbox.capabilities()
    walls: dict[str, list[float]] = {"script": [], "cold": [], "ready": []}
    with job_folder() as folder_of_job:
        rows_for(folder_of_job / "data.arrow", rows)
        model, output = json.dumps(card()).encode(), OutputSpec("score", 0.0, 1_000.0)
        job = JobSpec("scorecard", model, folder_of_job / "data.arrow", rows, inputs, output)
        for _ in range(7):
            for way, work in (
                (
                    "script",
                    lambda: subprocess.run(command, input=told, env=environment, capture_output=True, check=True),
                ),
                ("cold", lambda: sandbox.run(job)),
                ("ready", lambda: sandbox.run(job)),
            ):
                if way == "ready":
                    bubblewrap.prepare()
                    time.sleep(2)  # its imports, while a worker does something else
                began = time.perf_counter()
                work()
                walls[way].append(time.perf_counter() - began)
    found = {way: statistics.median(times) for way, times in walls.items()}
    return Cost(0.0, found["cold"], 0.0, found)


def unprotected(place: Path, rows: int) -> Cost:
    """That script, measured."""
    command, told, environment = script(place, rows)
    kept: list[bytes] = []

    def work() -> None:
        kept.append(subprocess.run(command, input=told, env=environment, stdout=subprocess.PIPE, check=True).stdout)

    cost = cost_of(work)
    scores = pa.ipc.open_stream(kept[0]).read_all().column(0).to_numpy()
    return Cost(cost.cpu, cost.wall, cost.peak_mb, {"sum": float(scores.sum())})


WAYS = {"protected": protected, "unprotected": unprotected, "small": small}


def main() -> None:
    amounts = sizes("10k,100k,1m")
    pairs = [(least("cleanroom", "protected", size), least("cleanroom", "unprotected", size)) for size in amounts]
    assert all(ours.found["sum"] == theirs.found["sum"] for ours, theirs in pairs), "the two score differently"
    rows = [
        [
            said(size),
            amount(ours.cpu),
            amount(theirs.cpu),
            f"{ours.cpu / theirs.cpu:.2f}×",
            amount(ours.wall),
            amount(theirs.wall),
            f"{ours.wall / theirs.wall:.2f}×",
            amount(ours.found["release"]),
            amount(ours.found["check"]),
        ]
        for size, (ours, theirs) in zip(amounts, pairs, strict=True)
    ]
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    rows.append(
        [
            "exponent",
            growth(amounts, [cost.cpu for cost in ours]),
            growth(amounts, [cost.cpu for cost in theirs]),
            "",
            growth(amounts, [cost.wall for cost in ours]),
            growth(amounts, [cost.wall for cost in theirs]),
            "",
            growth(amounts, [cost.found["release"] for cost in ours]),
            "",
        ]
    )
    start = least("cleanroom", "small", 100).found
    cold = start["cold"] / start["script"]
    ratio = ours[-1].cpu / theirs[-1].cpu
    write(
        "cleanroom",
        "A model in the clean room",
        amounts,
        f"A scorecard over {COLUMNS} columns. Sandbox: namespaces, system call filter and limits, and the check of "
        "every byte the model wrote. Script: the same `inside.py` in a fresh process with the same packages and "
        "options and nothing around it. The release rules (keys counted, groups merged, rounding) follow wherever a "
        "result is to leave, so they stand apart; the self-check of the sandbox is made once in a worker's life.",
        table(
            [
                *("rows", "sandbox CPU s", "script CPU s", "ratio", "sandbox s", "script s", "ratio"),
                *("release CPU s", "self-check s, once"),
            ],
            rows,
        ),
        f"Start: a job of 100 rows takes {amount(start['script'])} s as a script, {amount(start['cold'])} s in a "
        f"sandbox started for it ({cold:.2f}×, of at most 1.2×), and {amount(start['ready'])} s in one kept ready.",
        f"Budget: at most 1.3× the script's CPU at the largest size ({'met' if ratio <= 1.3 else 'not met'}: "
        f"{ratio:.2f}×).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        with folder() as own:
            report(WAYS[sys.argv[2]](own, int(sys.argv[3])))
    else:
        main()
