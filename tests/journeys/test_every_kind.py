"""Each kind of model through a whole trade: published, offered, ordered, run, released, its receipt verified."""

from __future__ import annotations

import csv
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from journeys.console import BUYER, MODELLER, PROVIDER, Console
from unit.cleanroom.kinds import models as kinds
from unit.cleanroom.kinds.test_through_the_sandbox import expected

REGIONS = ("东", "西", "南")
MARK = "芙蓉-4711-its-owner-alone-knows"  # in a comment of the statement, which is not part of what runs
FILES = {
    "lightgbm": ("trees.txt", kinds.lightgbm_text),
    "xgboost": ("trees.json", lambda: kinds.xgboost_bytes("json")),
    "sql": ("score.sql", lambda: f"-- {MARK}{kinds.SELECT}".encode()),
    "onnx": ("trees.onnx", kinds.onnx_trees),
}
NATIVE = {"xgboost": "xgboost json"}


def seen() -> pa.Table:
    """People as a CSV can hold them: an empty plan and a missing one are the same there."""
    made = kinds.rows(600, seed=11)
    plan = made.column("plan")
    return made.set_column(3, "plan", pc.if_else(pc.equal(plan, ""), None, plan))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Console, str]]:
    """One home for all kinds, with its people, their money and the table."""
    console = Console(tmp_path_factory.mktemp("kinds"))
    console.do("init")
    console.register()
    console.do("accounts", "deposit", BUYER, "--yuan", "9000")
    file = console.folder / "people.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["person", *seen().column_names, "region"])
        for at, row in enumerate(seen().to_pylist()):
            values = ["" if value is None else value for value in row.values()]
            writer.writerow([f"P{at:04d}", *values, REGIONS[at % len(REGIONS)]])
    yield console, console.publish("--key", "person", "--level", "L2", file=file)
    console.close()


def published(console: Console, kind: str) -> str:
    """A model of this kind, published from a file that stays in the owner's own folder."""
    name, made = FILES[kind]
    (console.folder / name).write_bytes(made())
    card = kinds.onnx_card() if kind == "onnx" else kinds.CARD
    (console.folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    words = ("--owner", MODELLER, "--inputs", "tenure,charge,age,plan", "--card", "card.json")
    return str(console.do("models", "publish", name, *words)["id"])


@pytest.mark.parametrize("kind", FILES)
def test_from_order_to_receipt(town: tuple[Console, str], kind: str) -> None:
    console, table = town
    model = published(console, kind)
    offer = console.offer(table, model, group_by="region")
    for party in (PROVIDER, MODELLER):
        console.do("offers", "accept", offer, "--as", party)
    run = console.do("runs", "start", console.order(offer), "--wait")
    assert run["state"] == "closed", run
    product, receipt = f"{kind}.csv", f"{kind}.json"
    console.do("results", "download", run["result"], "-o", product)
    console.do("receipts", "get", run["id"], "-o", receipt)
    console.do("ledger", "key", "-o", f"{kind}.key")
    verified = console.do("receipts", "verify", receipt, "--key", f"{kind}.key", "--product", product)
    assert (verified["ok"], verified["says"]["run"]) == (True, run["id"])

    scores = defaultdict(list)
    for at, score in enumerate(expected(NATIVE.get(kind, kind), kinds.prepared(seen()))):
        scores[REGIONS[at % len(REGIONS)]].append(float(score))
    with (console.folder / product).open(encoding="utf-8-sig", newline="") as file:
        told = {row["region"]: row for row in csv.DictReader(file)}
    assert set(told) == set(REGIONS)
    for region, given in scores.items():
        assert int(told[region]["entities"]) == len(given)
        assert float(told[region]["mean_score"]) == pytest.approx(sum(given) / len(given), rel=0.005, abs=0.001)


def test_no_backup_and_no_file_of_the_home_holds_a_model(town: tuple[Console, str]) -> None:
    """Sought is the middle of each file; of the statement its comment. The owner's own files show that it is there."""
    console, _ = town
    for kind, (name, _) in FILES.items():
        if not (console.folder / name).exists():  # by the tests before, unless they ran in another process
            published(console, kind)
    own = [console.folder / name for name, _ in FILES.values()]
    marks = [MARK.encode() if one.suffix == ".sql" else middle(one.read_bytes()) for one in own]
    assert all(mark in one.read_bytes() for mark, one in zip(marks, own, strict=True))
    console.do("backup", "all.tar")
    with tarfile.open(console.folder / "all.tar") as packed:
        held = [found.read() for one in packed.getmembers() if (found := packed.extractfile(one))]
    held += [path.read_bytes() for path in console.home.rglob("*") if path.is_file()]
    assert len(held) > 20
    assert not [mark for mark in marks for one in held if mark in one]


def middle(data: bytes) -> bytes:
    return data[len(data) // 2 :][:48]
