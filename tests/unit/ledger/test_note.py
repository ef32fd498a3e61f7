"""Signed notes, checkpoints and key files, against Go's published example and against tampering."""

import base64
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.ledger.note import Checkpoint, Note, VerifierKey, decode_base64, decode_number, sign
from shudu.ledger.signer import ADAPTERS, Ed25519Signer, Keyed, load, save

# The example of Go's golang.org/x/mod/sumdb/note.
GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
GO_NOTE = f"{GO_TEXT}\n— PeterNeumann {GO_SIGNATURE}\n"
ORIGIN = "data.example.org/ledger"


@pytest.fixture(params=sorted(ADAPTERS), scope="module")
def signer(request: pytest.FixtureRequest) -> Keyed:
    """One suite for every adapter of the port."""
    return ADAPTERS[request.param].generate(ORIGIN)


def test_gos_example_verifies_and_is_made_again(tmp_path: Path) -> None:
    assert Note.parse(GO_NOTE).signed_by(VerifierKey.parse(GO_VERIFIER))
    (tmp_path / "key").write_text(GO_SIGNER + "\n")
    signer = load(tmp_path / "key")
    assert str(signer.verifier) == GO_VERIFIER
    assert str(sign(GO_TEXT, signer)) == GO_NOTE


def test_a_checkpoint_reads_back(signer: Keyed) -> None:
    checkpoint = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
    note = Note.parse(str(sign(str(checkpoint), signer)))
    assert note.signed_by(VerifierKey.parse(str(signer.verifier)))
    assert Checkpoint.parse(note.text) == checkpoint
    assert str(note).startswith(f"{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— {ORIGIN} ")


def test_every_flipped_bit_of_a_note_is_noticed(signer: Keyed) -> None:
    note = str(sign(str(Checkpoint(ORIGIN, 5, b"\7" * 32)), signer)).encode()
    for at in range(len(note)):
        for bit in range(8):
            flipped = note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :]
            with suppress(ValueError):
                assert not Note.parse(flipped.decode()).signed_by(signer.verifier), (at, bit)


def test_unknown_signatures_leave_room_for_witnesses(signer: Keyed) -> None:
    witness, stranger = Ed25519Signer.generate("witness.example"), Ed25519Signer.generate(ORIGIN)
    note = Note.parse(str(sign("a\n\nb\n", signer, witness)))
    assert note.text == "a\n\nb\n"
    assert note.signed_by(signer.verifier)
    assert note.signed_by(witness.verifier)
    assert not note.signed_by(stranger.verifier)


def test_a_false_signature_in_the_keys_name_spoils_a_true_one(signer: Keyed) -> None:
    true, other = sign("a\n", signer), sign("b\n", signer)
    assert not Note("a\n", true.signatures + other.signatures).signed_by(signer.verifier)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "a\n",
        "a\n\n",
        "a\n\n— b\n",
        "a\n\n- b AAAAAAAA\n",
        "a\n\n— b AAAAAAAA",
        "a\n\n— b AAAA\n",
        "a\n\n— b+c AAAAAAAA\n",
        "a\r\n\n— b AAAAAAAA\n",
        "a\n\n— b AAAAAAB=\n",
        "a\n\n—  AAAAAAAA\n",
        "a\n\n" + "— b AAAAAAAA\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Note.parse(note)


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "o\n01\nAA==\n",
        "o\n1\nAA==\n",
        "\n1\nAA==\n",
        "o\n-1\nAA==\n",
        "o\n1\n" + "A" * 43 + "=",
        "o\n١\n" + "A" * 43 + "=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Checkpoint.parse(text)


def test_extension_lines_are_passed_over() -> None:
    body = str(Checkpoint(ORIGIN, 1, b"\1" * 32))
    assert Checkpoint.parse(body + "extension\n") == Checkpoint.parse(body)
    with pytest.raises(ValueError, match="origin, size and root"):
        Checkpoint.parse(body + "\n")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a+b",
        GO_VERIFIER[:-1],
        GO_VERIFIER.replace("c74f20a3", "c74f20a4"),
        GO_VERIFIER.replace("Peter", "Petra"),
        GO_VERIFIER.replace("ARpc", "Ahpc"),
        GO_VERIFIER.upper(),
        "a b+00000000+AQ==",
        GO_VERIFIER.replace("c74f20a3", "C74F20A3"),
    ],
)
def test_what_is_no_verifier_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        VerifierKey.parse(key)


def test_a_key_that_is_no_point_verifies_nothing(signer: Keyed) -> None:
    key = VerifierKey(ORIGIN, b"\xff" * 32)
    assert not key.verifies(b"", b"\0" * 64)
    assert not signer.verifier.verifies(b"", b"short")


@given(st.binary(min_size=1, max_size=40))
def test_base64_has_one_spelling(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert decode_base64(text) == data
    for other in (text + "=", text + "\n", " " + text, text.rstrip("=") + "==="):
        with pytest.raises(ValueError, match="base64"):
            decode_base64(other)


def test_numbers_have_one_spelling() -> None:
    assert decode_number("0") == 0
    for text in ("", "00", "+1", "-1", "1.0", " 1", "1_0", "٣", "1" * 20):
        with pytest.raises(ValueError, match="decimal"):
            decode_number(text)


def test_a_key_file_is_private_whole_and_never_replaced(tmp_path: Path, signer: Keyed) -> None:
    file = tmp_path / "keys" / "ledger.key"
    save(signer, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert load(file) == signer
    with pytest.raises(FileExistsError):
        save(Ed25519Signer.generate(ORIGIN), file)
    assert load(file) == signer
    assert [found.name for found in file.parent.iterdir()] == ["ledger.key"]
    assert "seed" not in repr(signer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        GO_VERIFIER,
        GO_SIGNER.replace("c74f20a3", "c74f20a4"),
        GO_SIGNER[:-4],
        GO_SIGNER.replace("AYEK", "AoEK"),
    ],
)
def test_what_is_no_key_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        load(tmp_path / "key")
