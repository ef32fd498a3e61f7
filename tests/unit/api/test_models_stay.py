"""A model is its owner's property: no call gives it out, and its words lie in the clear nowhere on a disk."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shudu.catalog import queries as catalog
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.sandbox import JobSpec, Limits, OutputSpec, job_folder
from shudu.policy import ids
from shudu.site.api import document

from .conftest import MODEL, Market, Parts

SECRET = "芙蓉-4711-its-owner-alone-knows"
READS = [(path, one) for path, method, one in document.operations(document.document()) if method == "get"]


def secret_model() -> bytes:
    """The scorecard with a category that stands in no column, name or card."""
    card = json.loads(MODEL)
    (item,) = (one for one in card["inputs"] if one["kind"] == "category")
    item["points"][SECRET] = 0
    return json.dumps(card, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def model(kept: Market, django_db_blocker: Any) -> Market:
    with django_db_blocker.unblock():
        fields = {"inputs": ["tenure", "contract"]}
        made = kept.modeller.do("POST", "/models", Parts(fields, secret_model(), "card.json"))
    kept.ids["secret_model"], kept.ids["secret_version"] = made["id"], made["version"]["id"]
    return kept


@pytest.mark.parametrize("path", [path for path, _ in READS])
def test_no_call_gives_a_model_out(model: Market, db: None, path: str) -> None:
    """Generated from the API's document: every GET, the model's ids wherever an id goes, asked by everybody."""
    known = {"asset": model.ids["secret_model"], "result": model.ids["secret_model"]}
    known |= {"version": model.ids["secret_version"], "file": "product.csv"}
    there = path.removeprefix("/api/v1")
    for noun in re.findall(r"{(\w+)}", there):
        there = there.replace(f"{{{noun}}}", known.get(noun) or model.ids.get(noun) or ids.new("run"))
    for caller in (model.operator, model.provider, model.modeller, model.buyer):
        answer = caller.call("GET", there)
        told = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert SECRET not in told.decode("utf-8", "replace")
        assert json.dumps(SECRET).strip('"').encode() not in told
        if path.endswith("{file}"):
            assert answer.status_code in (403, 404, 409)


def found_in(*folders: Path) -> Iterator[Path]:
    """Files that hold the secret, however it is written."""
    written = (SECRET.encode(), json.dumps(SECRET).strip('"').encode(), SECRET.encode("utf-16-le"))
    for folder in folders:
        for place, _, names in os.walk(folder):
            for file in (Path(place, name) for name in names):
                with contextlib.suppress(OSError):  # gone meanwhile, or not ours
                    if file.is_file() and any(one in file.read_bytes() for one in written):
                        yield file


def test_a_model_at_rest_cannot_be_read(model: Market, db: None, home: Path) -> None:
    assert list(found_in(home)) == []
    raw, card = catalog.model_files(catalog.version_row(model.ids["secret_version"]))
    assert SECRET in raw.decode()
    assert card is None


def test_a_model_at_work_lies_in_no_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for on every disk it could be on while its job holds it in memory."""
    worker = tmp_path / "worker.py"
    worker.write_text("import os, time\nos.write(1, os.read(0, 1 << 16)[-8:])\ntime.sleep(3)\n")
    worker.chmod(0o644)
    table = pa.table({"x": [1.0]})
    looked: list[Path] = []
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with job_folder() as folder:
        with pa.OSFile(str(folder / "data"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        inputs, output = (("x", "number"),), OutputSpec("score", 0, 1)
        job = JobSpec("scorecard", secret_model(), folder / "data", 1, inputs, output, Limits(wall_seconds=30))
        sandbox = Bubblewrap(worker)
        sandbox.capabilities()
        told: list[bytes] = []
        thread = threading.Thread(target=lambda: told.append(sandbox.run(job)))
        thread.start()
        time.sleep(1.0)
        alive = thread.is_alive()
        assert any(temporary.iterdir()), "the job's folders are where we look"
        looked += found_in(home, temporary, Path("/dev/shm"), Path("/var/tmp"))
        thread.join()
    assert alive, "the job was at work while we looked"
    assert told == [secret_model()[-8:]], "and held the model"
    assert looked == []
