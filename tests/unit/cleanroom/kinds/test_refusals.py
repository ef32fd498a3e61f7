"""Files that are refused, each for its own reason and whatever it is called; and files that are broken."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.catalog.model_kinds import read_model
from shudu.cleanroom.kinds import KINDS
from shudu.cleanroom.sandbox import SandboxError
from shudu.policy.types import Invalid
from unit.cleanroom.kinds import models as kinds


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("this model has run",))


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Evil()], dtype=object), allow_pickle=True)
    return file.getvalue()


XXE = b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML version="4.4">&x;</PMML>'
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    **{f"pickle {at}": (lambda at=at: pickle.dumps(Evil(), protocol=at), "pickle") for at in range(6)},
    "joblib, compressed": (lambda: zlib.compress(pickle.dumps(Evil())), "pickle"),
    "joblib, gzip": (lambda: gzip.compress(pickle.dumps(Evil())), "archive"),
    "numpy with objects": (npy, "numpy"),
    "torch": (lambda: zipped("archive/data.pkl", "archive/data/0"), "torch"),
    "torchscript": (lambda: zipped("m/code/__torch__.py", "m/constants.pkl"), "torch"),
    "skops": (lambda: zipped("schema.json", "1.npy"), "skops"),
    "keras": (lambda: zipped("metadata.json", "config.json", "model.weights.h5"), "keras"),
    "npz": (lambda: zipped("a.npy"), "numpy"),
    "zip": (lambda: zipped("model.onnx"), "archive"),
    "zip behind a scorecard": (lambda: b'{"format": "shudu-scorecard/1"}' + zipped("a"), "archive"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), "hdf5"),
    "PMML": (lambda: XXE, "pmml"),
    "PMML in UTF-16": (lambda: XXE.decode().encode("utf-16"), "pmml"),
    "other XML": (lambda: b"\n <model/>", "xml"),
    "program": (lambda: b"\x7fELF" + bytes(60), "program"),
    "script": (lambda: b"#!/bin/sh\nid", "program"),
    "python": (lambda: b"import os\nos.system('id')\n", "python"),
    "ort": (lambda: b"\x20\0\0\0ORTM" + bytes(60), "ort"),
    "tflite": (lambda: b"\x20\0\0\0TFL3" + bytes(60), "tflite"),
    "safetensors": (lambda: (20).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}' + bytes(16), "safetensors"),
    "old xgboost": (lambda: b"binf" + bytes(60), "xgboost_binary"),
    "nothing": (lambda: b"", "kind"),
    "prose": (lambda: "这不是模型".encode(), "kind"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("called", ["model.onnx", "model.json"])
def test_refused_for_what_it_is(name: str, called: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, code = REFUSED[name]
    with pytest.raises(Invalid) as found:
        read_model(make(), kinds.CARD, called)
    assert found.value.code == f"model.{code}"
    assert re.search("[一-鿿]", found.value.message.zh)
    assert found.value.where["file"] == called
    assert "has run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", kinds.MODELS)
def test_each_kind_is_recognised_by_its_content(name: str) -> None:
    made = {
        "lightgbm": (kinds.lightgbm_text, kinds.CARD),
        "onnx": (kinds.onnx_trees, kinds.onnx_card()),
        "sql": (kinds.SELECT.encode, kinds.CARD),
        "xgboost json": (lambda: kinds.xgboost_bytes("json"), kinds.CARD),
        "xgboost ubj": (lambda: kinds.xgboost_bytes("ubj"), kinds.CARD),
    }
    data, card = made[name]
    spec = read_model(data(), card, "model.pkl")
    assert spec.kind == name.split()[0]
    assert spec.inputs == tuple((one["column"], one["kind"]) for one in kinds.CARD["inputs"])
    assert spec.card["metrics"] == kinds.CARD["card"]["metrics"]


@pytest.mark.parametrize("name", kinds.MODELS)
def test_no_model_without_a_card(name: str) -> None:
    kind = name.split()[0]
    data = {"lightgbm": kinds.lightgbm_text(), "onnx": kinds.onnx_trees(), "sql": kinds.SELECT.encode()}
    with pytest.raises(Invalid) as found:
        kinds.admit(kind, data.get(kind) or kinds.xgboost_bytes(name.split()[1]), None)
    assert found.value.code == "model.card"


def _changed(card: kinds.Card, path: str, value: Any) -> kinds.Card:
    *steps, last = path.split(".")
    here: Any = card
    for step in steps:
        here = here[int(step) if step.isdigit() else step]
    if value is None:
        del here[last]
    else:
        here[int(last) if last.isdigit() else last] = value
    return card


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        *((f"card.{name}", None, "shape") for name in kinds.CARD["card"]),
        ("card.task", {"zh": "只有中文"}, "shape"),
        ("inputs", [], "shape"),
        ("inputs.0.kind", "date", "shape"),
        ("inputs.0.default", 1, "shape"),
        ("inputs.1.column", "tenure", "column_twice"),
        ("inputs.0.min", 200, "input_range"),
        ("inputs.3.codes", ["a", "a"], "code_twice"),
        ("inputs.3.other", {"as": "else"}, "other"),
        ("inputs.3.missing", {"as": "else"}, "other"),
        ("output.max", -1, "output_range"),
        ("output.min", float("nan"), "shape"),
    ],
)
def test_cards_that_are_not_taken(card: kinds.Card, path: str, value: Any, code: str) -> None:
    with pytest.raises(Invalid) as found:
        kinds.admit("sql", kinds.SELECT.encode(), _changed(card, path, value))
    assert found.value.code == f"card.{code}"


# --- LightGBM -------------------------------------------------------------------------------------------------------


def spoiled(pattern: str, by: str) -> bytes:
    text, times = re.subn(pattern, by, kinds.lightgbm_text().decode(), count=1, flags=re.MULTILINE)
    assert times == 1
    return sized(text)


def sized(text: str) -> bytes:
    """With `tree_sizes` that are right again: the library finds its trees by them."""
    _, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    sizes = " ".join(str(len(f"Tree={block}\n".encode())) for block in blocks)
    return re.sub(r"^tree_sizes=.*", f"tree_sizes={sizes}", text, flags=re.MULTILINE).encode()


def test_trees_where_only_the_library_finds_them() -> None:
    """Sizes that lead the library to other trees than the ones we checked."""
    text = kinds.lightgbm_text().decode()
    for other in (
        re.sub(r"^tree_sizes=.*", "", text, flags=re.MULTILINE),
        re.sub("tree_sizes=1", "tree_sizes=2", text),
    ):
        with pytest.raises(Invalid) as found:
            kinds.admit("lightgbm", other.encode(), kinds.CARD)
        assert found.value.code == "lightgbm.broken"


@pytest.mark.parametrize(
    ("pattern", "by", "code"),
    [
        (r"^left_child=\S+", "left_child=0", "broken"),  # a loop: its reader would never end
        (r"^right_child=\S+", "right_child=9999", "broken"),
        (r"^split_feature=\S+", "split_feature=77", "broken"),
        (r"^leaf_value=\S+", "leaf_value=nan", "broken"),
        (r"^leaf_value=\S+", "leaf_value=900", "ok"),  # 1 / (1 + exp(-900)) is still 1
        (r"^threshold=\S+ ", "threshold=", "broken"),
        (r"^cat_boundaries=0 \S+", "cat_boundaries=0 999999999", "broken"),
        (r"^num_leaves=\d+", "num_leaves=-3", "broken"),
        (r"^num_leaves=\d+", "num_leaves=4000000", "broken"),
        (r"^objective=.*", "objective=custom", "objective"),
        (r"^objective=.*", "objective=regression", "out_of_range"),
        (r"^max_feature_idx=3", "max_feature_idx=300000", "broken"),
        (r"^num_tree_per_iteration=1", "num_tree_per_iteration=3", "broken"),
        (r"^feature_names=.*", "feature_names=charge tenure age plan", "features"),
        (r"^is_linear=0", "is_linear=1", "linear"),
        (r"^pandas_categorical:null", 'pandas_categorical:[["a", "b"]]', "codes"),
    ],
)
def test_lightgbm_files_that_are_not_sound(pattern: str, by: str, code: str) -> None:
    data = spoiled(pattern, by)
    if code == "ok":
        kinds.admit("lightgbm", data, kinds.CARD)
        return
    with pytest.raises(Invalid) as found:
        kinds.admit("lightgbm", data, kinds.CARD)
    assert found.value.code == f"lightgbm.{code}"


def test_a_tree_with_a_loop_ends_at_the_clock_all_the_same() -> None:
    """As if admission had a hole: the library walks in a circle, and the sandbox ends it."""
    from dataclasses import replace

    from shudu.cleanroom.inside_kinds.declared import pack, unpack
    from shudu.cleanroom.sandbox import Limits

    good = kinds.MODELS["lightgbm"]()
    told, text = unpack(good.job)
    circle = re.sub(r"^(left|right)_child=.*$", lambda line: line[1] + "_child=" + " ".join(["0"] * 14),
                    text.decode(), flags=re.MULTILINE)  # fmt: skip
    with pytest.raises(SandboxError) as caught:
        kinds.run(replace(good, job=pack(told, sized(circle))), kinds.rows(10), limits=Limits(wall_seconds=2.0))
    assert caught.value.code in ("model.timeout", "model.failed")


# --- XGBoost --------------------------------------------------------------------------------------------------------


def xgboost_with(change: Callable[[Any], None]) -> bytes:
    model = json.loads(kinds.xgboost_bytes("json"))
    change(model["learner"])
    return json.dumps(model).encode()


def tree(learner: Any) -> Any:
    return learner["gradient_booster"]["model"]["trees"][0]


def set_to(where: Callable[[Any], Any], name: Any, value: Any) -> Callable[[Any], None]:
    def change(learner: Any) -> None:
        where(learner)[name] = value

    return change


XGBOOST: dict[str, tuple[Callable[[Any], None], str]] = {
    "loop": (lambda one: tree(one)["left_children"].__setitem__(0, 0), "broken"),
    "child that is not there": (lambda one: tree(one)["right_children"].__setitem__(0, 1 << 30), "broken"),
    "feature that is not there": (lambda one: tree(one)["split_indices"].__setitem__(0, 99), "broken"),
    "rows of other lengths": (lambda one: tree(one)["split_conditions"].pop(), "broken"),
    "no trees": (lambda one: one["gradient_booster"]["model"].pop("trees"), "broken"),
    "objective": (set_to(lambda one: one["objective"], "name", "custom"), "objective"),
    "booster": (set_to(lambda one: one["gradient_booster"], "name", "gblinear"), "booster"),
    "base score": (set_to(lambda one: one["learner_model_param"], "base_score", "1E99999"), "broken"),
    "range": (set_to(lambda one: one["objective"], "name", "reg:squarederror"), "out_of_range"),
    "features": (set_to(lambda one: one, "feature_names", ["a", "b", "c", "d"]), "features"),
    "types": (set_to(lambda one: one, "feature_types", ["c", "float", "float", "float"]), "feature_type"),
    "classes": (set_to(lambda one: one["learner_model_param"], "num_class", "3"), "classes"),
}


@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_files_that_are_not_sound(name: str) -> None:
    change, code = XGBOOST[name]
    with pytest.raises(Invalid) as found:
        kinds.admit("xgboost", xgboost_with(change), kinds.CARD)
    assert found.value.code == f"xgboost.{code}"


@given(at=st.integers(0, 1 << 20), byte=st.integers(0, 255), cut=st.integers(0, 1 << 20))
@settings(max_examples=60, deadline=None, derandomize=True)
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_spoiled_trees_end_in_a_refusal_or_in_a_model(name: str, at: int, byte: int, cut: int) -> None:
    data = bytearray(kinds.lightgbm_text() if name == "lightgbm" else kinds.xgboost_bytes("ubj"))
    data[at % len(data)] = byte
    try:
        found = KINDS[name].admit(bytes(data[: len(data) - cut % 40]), kinds.CARD)
    except Invalid as error:
        code = error.code
        assert code.split(".")[0] in (name, "card")
    else:
        assert found.kind == name


# --- SQL ------------------------------------------------------------------------------------------------------------

STATEMENTS = {
    "SELECT 1; SELECT 2": "one_select",
    "SELECT tenure FROM input WHERE tenure > 1": "one_select",
    "SELECT tenure FROM input ORDER BY 1": "one_select",
    "SELECT DISTINCT tenure FROM input": "one_select",
    "SELECT tenure FROM input LIMIT 1": "one_select",
    "SELECT tenure FROM input GROUP BY tenure": "one_select",
    "SELECT tenure FROM input UNION ALL SELECT 1": "one_select",
    "WITH RECURSIVE t AS (SELECT 1) SELECT tenure FROM input": "one_select",
    "SELECT tenure, age FROM input": "one_select",
    "SELECT tenure FROM input, input AS other": "one_select",
    "SELECT tenure FROM input JOIN input AS other ON true": "one_select",
    "SELECT tenure FROM 'secret.csv'": "one_select",
    "SELECT tenure FROM read_csv('/etc/passwd')": "one_select",
    "SELECT tenure FROM other.input": "one_select",
    "SELECT tenure FROM input TABLESAMPLE 10%": "one_select",
    "COPY input TO 'out.csv'": "one_select",
    "ATTACH 'other.db'": "one_select",
    "INSTALL httpfs": "one_select",
    "SET threads = 8": "one_select",
    "PRAGMA database_list": "one_select",
    "CREATE TABLE t AS SELECT 1": "one_select",
    "SELECT *": "one_select",
    "SELECT * FROM input": "function",
    "SELECT (SELECT 1) FROM input": "function",
    "SELECT tenure IN (SELECT 1) FROM input": "function",
    "SELECT EXISTS (SELECT 1) FROM input": "function",
    "SELECT random() FROM input": "function",
    "SELECT now() FROM input": "function",
    "SELECT current_date FROM input": "function",
    "SELECT getenv('HOME') FROM input": "function",
    "SELECT current_setting('threads') FROM input": "function",
    "SELECT sum(tenure) FROM input": "function",
    "SELECT avg(tenure) OVER () FROM input": "function",
    "SELECT row_number() OVER () FROM input": "function",
    "SELECT unnest([1, 2]) FROM input": "function",
    "SELECT len(repeat('x', 1000000000)) FROM input": "function",
    "SELECT list_sum(range(1000000000)) FROM input": "function",
    "SELECT regexp_matches(plan, '(a+)+$') FROM input": "function",
    "SELECT read_text('/etc/passwd') FROM input": "function",
    "SELECT CAST(plan AS JSON) FROM input": "function",
    "SELECT tenure::BLOB FROM input": "function",
    "SELECT $1 FROM input": "function",
    "SELECT secret FROM input": "columns",
    "SELECT tenure + charge + age FROM input": "columns",
    "SELECT tenure FROM": "not_sql",
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000 + " FROM input": "not_sql",
    "SELECT " + "1 + " * 30_000 + "1 FROM input": "too_large",
}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one[:50])
def test_statements_that_are_not_taken(statement: str) -> None:
    with pytest.raises(Invalid) as found:
        read_model(statement.encode(), kinds.CARD, "model.sql")
    assert found.value.code == f"sql.{STATEMENTS[statement]}"


def test_what_runs_is_written_anew() -> None:
    from shudu.cleanroom.inside_kinds.declared import unpack

    _, statement = unpack(kinds.MODELS["sql"]().job)
    assert statement.startswith(b"SELECT CAST((")
    assert statement.endswith(b'AS DOUBLE) AS "score" FROM "input"')
    assert b"--" not in statement


# --- data that does not fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "fits"),
    [
        ("tenure", [0.0, 100.0], True),
        ("tenure", [0.0, -1.0], False),
        ("tenure", [0.0, 101.0], False),
        ("tenure", [float("inf"), 1.0], False),
        ("charge", [float("inf"), 1.0], False),
        ("age", [-500.0, 500.0], True),
        ("plan", ["never seen", None], True),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_values_the_card_refuses(card: kinds.Card, column: str, values: list[Any], fits: bool, strict: bool) -> None:
    """`strict` cards refuse what is missing or not in the list, too."""
    if strict:
        for item in card["inputs"]:
            item |= {"missing": "refuse"} | ({"other": "refuse"} if item["kind"] == "category" else {})
        fits = fits and column != "plan"
    else:
        fits = fits and True
    table = pa.table({"tenure": [1.0, 2.0], "charge": [1.0, 2.0], "age": [1.0, 2.0], "plan": ["month", "一年"]})
    table = table.set_column(table.column_names.index(column), column, pa.array(values))
    from shudu.cleanroom.inside_kinds.declared import INPUT_EXIT, floats

    found = []
    for item in kinds.admit("sql", kinds.SELECT.encode(), card) and _told(card):
        try:
            found.append(floats(item, table.column(item["column"]).combine_chunks()))
        except SystemExit as ended:
            found.append(ended.code)
    assert (INPUT_EXIT not in [one for one in found if isinstance(one, int)]) == fits


def _told(card: kinds.Card) -> list[kinds.Card]:
    from shudu.cleanroom.inside_kinds.declared import unpack

    told, _ = unpack(kinds.admit("sql", kinds.SELECT.encode(), card).job)
    return list(told["inputs"])


@pytest.mark.parametrize("name", ["lightgbm", "sql"])
def test_refused_values_end_a_real_run(name: str) -> None:
    table = kinds.rows(20)
    bad = table.set_column(0, "tenure", pa.array([*range(19), 4_711.0]))
    with pytest.raises(SandboxError) as caught:
        kinds.run(kinds.MODELS[name](), bad)
    assert caught.value.code == "model.input"
    assert b"tenure" in caught.value.owner_log, "the data's owner is told which column"
    assert "tenure" not in f"{caught.value}{caught.value.where}"
    assert b"4711" not in caught.value.owner_log, "and nobody which value"
    assert caught.value.message.zh
    assert caught.value.remedy


@pytest.mark.parametrize(
    "statement", ["SELECT ln(-1 - abs(tenure)) + {} FROM input", "SELECT 1 / (tenure - tenure) + {} FROM input"]
)
def test_sql_without_a_score_for_a_row(statement: str) -> None:
    others = "charge * 0 + coalesce(age, 0) * 0 + length(plan)"
    with pytest.raises(SandboxError) as caught:
        kinds.run(kinds.admit("sql", statement.format(others).encode(), kinds.CARD), kinds.rows(20))
    assert caught.value.code in ("model.output", "model.failed")


def test_sql_out_of_its_range() -> None:
    statement = b"SELECT 2 + abs(coalesce(tenure, 1)) + charge * 0 + coalesce(age, 0) * 0 + length(plan) * 0 FROM input"
    with pytest.raises(SandboxError) as caught:
        kinds.run(kinds.admit("sql", statement, kinds.CARD), kinds.rows(20))
    assert caught.value.code == "model.out_of_range"
