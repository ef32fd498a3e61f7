"""A modeller who wants rows, not averages: what is tried through the real sandbox, and what is left of it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel, PublishTable
from shudu.cleanroom import steps
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.inside import write_scores
from shudu.cleanroom.inside_kinds import declared
from shudu.cleanroom.release import DEFAULTS, rounded_to, step_of
from shudu.cleanroom.sandbox import JobSpec
from unit.agreements.conftest import SCORECARD, Market, market
from unit.cleanroom.test_guarded import city, product, sold

__all__ = ["city", "market"]
VICTIM = 35  # tenure of the people spied on: seven times a number, modulo sixty


def model(market: Market, folder: Path, points: list[tuple[float, float]], base: float = 500) -> None:
    """Publish a scorecard that gives these (from, points) over the tenure."""
    edges = [None, *(float(start) for start, _ in points[1:]), None]
    bins = [
        {"from": low, "to": high, "points": value}
        for low, high, (_, value) in zip(edges, edges[1:], points, strict=False)
    ]
    card: dict[str, Any] = {**SCORECARD, "base": base, "output": {"name": "score", "min": 0, "max": 1000}}
    card["inputs"] = [{"column": "tenure", "kind": "number", "bins": bins, "missing": 0}]
    path = folder / f"card{len(list(folder.glob('card*')))}.json"
    path.write_text(json.dumps(card), encoding="utf-8")
    request = PublishModel(source=path, title="评分卡", inputs=("tenure",))
    market.model = catalog.publish_model(market.modeller, request).id


@pytest.mark.django_db(transaction=True)
def test_a_band_of_scores_around_one_value_does_not_leave(city: Market, tmp_path: Path) -> None:
    model(city, tmp_path, [(0, 0), (VICTIM, 400), (VICTIM + 1, 0)])
    run = sold(city, city.buyer, group_by=("region", "plan"))
    # Three of a hundred and fifty have that tenure: whatever is grouped, their points make the mean. A person decides.
    assert (run.state, run.done["compute"]["held_for"]) == ("held", ["singled_out"])


@pytest.mark.django_db(transaction=True)
def test_low_bits_of_the_scores_are_gone(city: Market, tmp_path: Path) -> None:
    """The same model with and without a secret in the fourth digit gives the same bytes."""
    left = []
    for secret in (0.0, 0.004):
        points = [(0.0, 0.0), *((float(at), (at % 2) * 40 + secret * at) for at in range(1, 60))]
        model(city, tmp_path, points)
        left.append(product(sold(city, city.buyer, group_by=("region",))))
    assert left[0] == left[1]


def spy() -> bytes:
    """A graph that scores everybody 500, and what the first row has more than they; alone a row is its own first."""
    nodes = [
        helper.make_node("Gather", ["rows", "first"], ["spied"], axis=0),
        helper.make_node("Sub", ["spied", "rows"], ["more"]),
        helper.make_node("Add", ["more", "base"], ["score"]),
    ]
    stored = [
        numpy_helper.from_array(np.zeros(1, np.int64), "first"),
        numpy_helper.from_array(np.full((1, 1), 500, np.float32), "base"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("rows", "score")]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    whole = helper.make_model(made, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    return bytes(whole.SerializeToString())


class AllAtOnce(Bubblewrap):
    """The house without its rule of one row at a time: the whole table is given to the model, which is trusted."""

    def run(self, job: JobSpec) -> bytes:
        _, raw = declared.unpack(job.model)
        rows = pa.ipc.open_file(pa.py_buffer(job.data.read_bytes())).read_all()
        seen = np.column_stack([column.to_numpy() for column in rows.columns]).astype(np.float32)
        session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
        out = io.BytesIO()
        write_scores(iter([session.run(["score"], {"rows": seen})[0][:, 0].astype(np.float64)]), out)
        return out.getvalue()


def publish_spy(market: Market, folder: Path) -> None:
    file = folder / "spy.onnx"
    file.write_bytes(spy())
    card = {
        "format": "shudu-model-card/1",
        "name": "流失",
        "inputs": [{"column": "tenure", "kind": "number", "missing": {"as": 0}}],
        "output": {"min": 0, "max": 1000},
        "card": {**SCORECARD["card"], "metrics": "无"},
    }
    request = PublishModel(source=file, title="流失模型", inputs=("tenure",), card=card)
    market.model = catalog.publish_model(market.modeller, request).id


def publish_victim(market: Market, folder: Path, tenure: int) -> None:
    """Sixty people in two districts; the first of them is the one spied on."""
    file = folder / f"victim{tenure}.csv"
    rows = [f"C{at:04d},{at * 7 % 60 if at else tenure},{'东' if at % 2 else '西'}区" for at in range(60)]
    file.write_text("\n".join(["customer_no,tenure,region", *rows]) + "\n", encoding="utf-8")
    market.data = catalog.publish(market.provider, PublishTable(source=file, title="居民", key="customer_no")).id


@pytest.mark.django_db(transaction=True)
def test_one_rows_value_in_every_score_does_not_reach_the_buyer(
    city: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ordered, run and released for two values of one person: the buyer gets the same, and without the rule not."""
    publish_spy(city, tmp_path)

    def told(sandbox: type[Bubblewrap]) -> dict[int, list[dict[str, str]]]:
        monkeypatch.setattr(steps, "sandbox", sandbox)
        found = {}
        for tenure in (7, 49):
            publish_victim(city, tmp_path, tenure)
            found[tenure] = product(sold(city, city.buyer, group_by=("region",)))
        return found

    kept, mixed = told(Bubblewrap), told(AllAtOnce)
    assert kept[7] == kept[49]
    assert {float(row["mean_score"]) for row in kept[7]} == {500.0}
    east = {
        tenure: next(float(row["mean_score"]) for row in rows if row["region"] == "东区")
        for tenure, rows in mixed.items()
    }
    assert east[49] - east[7] == pytest.approx(42, abs=1), "left alone, the attack works"


@pytest.mark.django_db(transaction=True)
def test_were_the_proof_wrong_about_such_a_model_its_run_fails(
    city: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second wall, inside: some rows are asked again by themselves. Nothing leaves and nobody is charged."""
    monkeypatch.setattr("shudu.cleanroom.kinds.onnx.rows_stay_apart", lambda found, score: True)
    publish_spy(city, tmp_path)
    publish_victim(city, tmp_path, 49)
    run = sold(city, city.buyer, group_by=("region",))
    assert (run.state, run.error["code"]) == ("failed", "model.failed")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 1000), (300, 850), (-1, 1), (-500, 499.5), (0, 999_999)])
def test_a_number_carries_at_most_twelve_bits(low: float, high: float) -> None:
    """The figure of the threat model: how many different means can leave, whatever a model computes and declares."""
    step = step_of(low, high, DEFAULTS.resolution)
    means = np.concatenate([np.linspace(low, high, 200_001), np.geomspace(1e-300, 1, 500)])
    found = {rounded_to(float(mean), DEFAULTS.significant_digits, step) for mean in means}
    assert math.log2(len(found)) <= 12
