"""Receipts: good ones verify, whatever is left out; of false ones and of rubbish every byte is noticed."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.ledger import receipt
from shudu.ledger.leaf import Sealed, canonical, seal
from shudu.ledger.merkle import Frontier, inclusion_proof, leaf_hash
from shudu.ledger.note import Checkpoint, sign
from shudu.ledger.proof import Proof
from shudu.ledger.receipt import Unreadable, build, encode, verify
from shudu.ledger.signer import Ed25519Signer

ORIGIN = "data.example.org/ledger"
PRODUCT = b"area,score\nA,612\n"
DIGEST = "0a2ba6d9b8b5c17a5bfa2a3ea1cf0cb6ed5bd3ba5b6c3e3f4a7d6e6b6b1d1a11"
SIGNER = Ed25519Signer.generate(ORIGIN)
KEY = str(SIGNER.verifier)


def seal_run(**fields: Any) -> Sealed:
    time = "2026-03-01T15:59:59.999999Z"
    return seal(version=1, event="run.closed", time=time, entry_id="ent_01h2xcejqtf2nbrexx3vqjhp41", values=fields)


def logged(sealed: Sealed, *, index: int = 5, size: int = 11, by: Ed25519Signer = SIGNER, origin: str = ORIGIN) -> str:
    """The tlog-proof of a leaf at `index` in a log of `size` otherwise made-up entries."""
    nodes, frontier = {}, Frontier()
    for number in range(size):
        entry = sealed.leaf if number == index else b"%d" % number
        nodes |= {(level, at): node for level, at, node in frontier.append(leaf_hash(entry))}
    path = inclusion_proof(index, size, lambda level, at: nodes[level, at])
    return str(Proof(index, tuple(path), sign(str(Checkpoint(origin, size, frontier.root())), by)))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


RUN = seal_run(
    run="run_01h2xcejqtf2nbrexx3vqjhp41",
    outputs=[{"version": "ver_1", "files": {"product.csv": digest(PRODUCT), "结果𠮷.parquet": DIGEST}}],
    meters={"rows": 7043},
)
PROOF = logged(RUN)
GOOD = encode(build(RUN.leaf, RUN.disclosures, PROOF))


def judge(data: bytes, product: bytes | None = None) -> bool | str:
    """True or False, or the code of what could not be read; anything else raised is a failure."""
    try:
        return verify(data, KEY, product).ok
    except Unreadable as error:
        return error.code if error.message.zh and error.message.en and error.remedy else "without words"


def failed(data: bytes, product: bytes | None = None) -> list[str]:
    verdict = verify(data, KEY, product)
    assert all(check.text.zh and check.text.en for check in verdict.checks)
    return [check.name for check in verdict.checks if not check.ok]


def test_a_receipt_verifies_with_its_file(tmp_path: Path) -> None:
    verdict = verify(GOOD, KEY + "\n", PRODUCT)
    assert verdict
    names = ["format", "leaf", "commitments", "inclusion", "signature", "origin", "product"]
    assert [check.name for check in verdict.checks] == names
    assert (verdict.index, verdict.checkpoint.size) == (5, 11)
    assert verdict.leaf is not None
    assert verdict.leaf.event == "run.closed"
    assert verdict.disclosed["meters"] == {"rows": 7043}
    (tmp_path / "product.csv").write_bytes(PRODUCT)
    assert verify(GOOD, KEY, tmp_path / "product.csv")
    assert json.loads(GOOD)["format"] == "shudu-receipt/1"


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257])
def test_receipts_of_any_place_verify(size: int) -> None:
    for index in {0, size // 2, size - 1}:
        assert judge(encode(build(RUN.leaf, RUN.disclosures, logged(RUN, index=index, size=size)))) is True


@given(st.sets(st.sampled_from(sorted(RUN.disclosures))))
def test_disclosures_may_be_left_out(shown: set[str]) -> None:
    data = encode(build(RUN.leaf, {name: RUN.disclosures[name] for name in shown}, PROOF))
    assert judge(data) is True
    assert failed(data, PRODUCT) == ([] if "outputs" in shown else ["product"])


def test_every_flipped_bit_of_a_receipt_is_noticed() -> None:
    for at in range(len(GOOD)):
        for mask in (*(1 << bit for bit in range(8)), 0xFF):
            flipped = GOOD[:at] + bytes([GOOD[at] ^ mask]) + GOOD[at + 1 :]
            assert judge(flipped) is not True, (at, mask, GOOD[max(0, at - 20) : at + 20])


def test_every_byte_lost_or_doubled_is_noticed() -> None:
    for at in range(len(GOOD)):
        assert judge(GOOD[:at] + GOOD[at + 1 :]) is not True, at
        assert judge(GOOD[: at + 1] + GOOD[at:]) is not True, at
        assert judge(GOOD[:at]) is not True


def test_every_flipped_byte_of_the_product_is_noticed() -> None:
    for at in range(len(PRODUCT)):
        for bit in range(8):
            changed = PRODUCT[:at] + bytes([PRODUCT[at] ^ 1 << bit]) + PRODUCT[at + 1 :]
            assert failed(GOOD, changed) == ["product"]
    assert failed(GOOD, b"") == ["product"]


def changed(**parts: Any) -> bytes:
    return encode({**json.loads(GOOD), **parts})


def shown(name: str, **parts: Any) -> bytes:
    disclosures = json.loads(GOOD)["disclosures"]
    return changed(disclosures={**disclosures, name: {**disclosures.get(name, {}), **parts}})


def test_a_false_receipt_says_what_is_false() -> None:
    other = seal_run(run="run_2")
    assert failed(shown("meters", value={"rows": 7044})) == ["commitments"]
    assert failed(shown("meters", salt="00" * 32)) == ["commitments"]
    assert failed(shown("extra", salt="00" * 32, value=1)) == ["commitments"]
    assert failed(changed(leaf=other.leaf.decode(), disclosures=other.disclosures)) == ["inclusion"]
    assert failed(changed(leaf="{}", disclosures={})) == ["leaf", "inclusion"]
    assert failed(changed(leaf="{}")) == ["leaf", "commitments", "inclusion"]
    assert failed(changed(proof=logged(other))) == ["inclusion"]
    assert failed(changed(proof=logged(RUN, by=Ed25519Signer.generate(ORIGIN)))) == ["signature"]
    assert failed(changed(proof=logged(RUN, origin="other.example/ledger"))) == ["origin"]
    stranger = Ed25519Signer.generate("other.example/ledger")
    assert failed(changed(proof=logged(RUN, by=stranger, origin=stranger.name))) == ["signature", "origin"]


def test_disclosures_cannot_be_exchanged_between_fields() -> None:
    twin = seal_run(one=1, other=1)
    swapped = {"one": twin.disclosures["other"], "other": twin.disclosures["one"]}
    assert failed(encode(build(twin.leaf, swapped, logged(twin)))) == ["commitments"]


@pytest.mark.parametrize(
    "outputs", [None, 5, "x", {}, [], [5], [{}], [{"files": 5}], [{"files": [digest(PRODUCT)]}], [{"files": {"a": 5}}]]
)
def test_outputs_of_any_shape_get_a_verdict(outputs: Any) -> None:
    run = seal_run(outputs=outputs)
    assert failed(encode(build(run.leaf, run.disclosures, logged(run))), PRODUCT) == ["product"]


HOSTILE = {
    "empty": b"",
    "not text": b"\xff\xfe",
    "not json": b"{",
    "null": b"null",
    "list": b"[]",
    "number": b"1",
    "deep lists": b"[" * 100_000,
    "deep maps": b'{"a":' * 100_000,
    "deep and closed": b"[" * 50_000 + b"]" * 50_000,
    "deep value": canonical({**json.loads(GOOD), "disclosures": {}})[:-1] + b',"x":' + b"[" * 900 + b"]" * 900 + b"}",
    "huge": b" " * (receipt.MAX_BYTES + 1),
    "huge number": b'{"format":' + b"9" * 100_000 + b"}",
    "nan": GOOD.replace(b"7043", b"NaN"),
    "infinity": GOOD.replace(b"7043", b"-Infinity"),
    "fraction": GOOD.replace(b"7043", b"7043.0"),
    "exponent": GOOD.replace(b"7043", b"7043e0"),
    "minus zero": GOOD.replace(b"7043", b"-0"),
    "big integer": GOOD.replace(b"7043", b"9007199254740992"),
    "duplicate key": GOOD.replace(b'{"rows":7043}', b'{"rows":7043,"rows":7043}'),
    "duplicate member": GOOD[:-1] + b',"proof":""}',
    "surrogate": GOOD.replace("结".encode(), b"\\ud800"),
    "escaped": GOOD.replace(b"run.closed", b"run\\u002eclosed"),
    "space": GOOD.replace(b":", b": ", 1),
    "newline": GOOD + b"\n",
    "bom": b"\xef\xbb\xbf" + GOOD,
    "zero": GOOD + b"\0",
    "other format": changed(format="shudu-receipt/2"),
    "format of another type": changed(format=["shudu-receipt/1"]),
    "extra member": changed(note="trust me"),
    "leaf of another type": changed(leaf={"v": 1}),
    "proof of another type": changed(proof=None),
    "disclosures of another type": changed(disclosures=[]),
    "disclosure of another type": changed(disclosures={"run": "x"}),
    "disclosure without salt": changed(disclosures={"run": {"value": 1}}),
    "disclosure with more": shown("run", more=1),
    "salt of another type": shown("run", salt=5),
    "salt too short": shown("run", salt="00"),
    "salt in capitals": shown("run", salt="AB" * 32),
    "no proof": changed(proof=""),
    "extra line": changed(proof=PROOF.replace("\nindex", "\nextra AAAA\nindex")),
    "index with a zero": changed(proof=PROOF.replace("index 5", "index 05")),
    "index in other digits": changed(proof=PROOF.replace("index 5", "index ٥")),
    "negative index": changed(proof=PROOF.replace("index 5", "index -5")),
    "too many hashes": changed(proof=PROOF.replace("index 5\n", "index 5\n" + ("A" * 43 + "=\n") * 65)),
    "short hash": changed(proof=PROOF.replace("index 5\n", "index 5\nAAAA\n")),
    "loose base64": changed(proof=PROOF.replace("=\n", "\n", 1)),
    "other line ends": changed(proof=PROOF.replace("\n", "\r\n")),
    "no signature": changed(proof=PROOF.partition("\n—")[0] + "\n"),
    "hash of another base64": changed(proof=PROOF.replace("index 5\n", "index 5\n" + "A" * 42 + "B=\n")),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_unreadable_and_never_a_traceback(data: bytes) -> None:
    assert data != GOOD
    assert str(judge(data, PRODUCT)).startswith("receipt.")


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_any_bytes_get_an_answer(data: bytes, at: int) -> None:
    assert judge(data) is not True
    assert (judge(GOOD[:at] + data + GOOD[at:]) is True) == (data == b"")


def test_keys_and_products_that_cannot_be_read(tmp_path: Path) -> None:
    for key in ("", "x", KEY[:-1], KEY.replace("ledger", "ledgex"), "\ud800", "+++"):
        with pytest.raises(Unreadable) as error:
            verify(GOOD, key)
        assert error.value.code == "receipt.key"
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(Unreadable) as error:
            verify(GOOD, KEY, place)
        assert error.value.code == "receipt.product"


def test_the_checker_needs_neither_django_nor_a_home() -> None:
    """An auditor's machine has only the file and the key."""
    code = (
        "import sys; from shudu.ledger.receipt import verify; "
        "ok = verify(sys.stdin.buffer.read(), sys.argv[1]).ok; "
        "sys.exit(not ok or 'django' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, KEY], input=GOOD, env={"PATH": ""}, check=False)
    assert done.returncode == 0
