"""Sealing, wrapping and rotation: the right key in the right context opens, nothing else does."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shudu.lake.actions import StoredDataKeys, rotate_kek
from shudu.lake.keys import Keyring, new_secret, seal, unseal
from shudu.lake.models import DataKey
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place
from shudu.policy.types import Conflict, Unavailable

ONE = Place("pty_one", "ast_one", "ver_one")
TWO = Place("pty_one", "ast_one", "ver_two")

contexts = st.lists(st.text(max_size=4), min_size=1, max_size=3).map(tuple)


@given(st.binary(), contexts, contexts, st.integers(0, 200), st.integers(1, 255))
def test_a_seal_opens_only_untouched_in_its_own_context(
    data: bytes, context: tuple[str, ...], other: tuple[str, ...], position: int, flip: int
) -> None:
    secret = new_secret()
    sealed = seal(secret, data, context)
    assert unseal(secret, sealed, context) == data
    assert seal(secret, data, context) != sealed
    altered = bytearray(sealed)
    altered[position % len(sealed)] ^= flip
    attempts = [(new_secret(), sealed, context), (secret, bytes(altered), context), (secret, data, context)]
    if other != context:
        attempts.append((secret, sealed, other))
    for attempt in attempts:
        with pytest.raises(Conflict) as caught:
            unseal(*attempt)
        assert caught.value.code == "lake.key"


def test_a_key_encryption_key_is_for_this_account_alone(keyring: Keyring) -> None:
    wrapped = keyring.wrap(b"k" * 32, ("a",))
    [path] = keyring.folder.glob("*.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keyring.folder.stat().st_mode) == 0o700
    assert b"k" * 32 not in path.read_bytes()
    path.chmod(0o640)
    with pytest.raises(Unavailable) as caught:
        keyring.unwrap(wrapped, ("a",))
    assert caught.value.code == "lake.kek_exposed"
    path.unlink()
    with pytest.raises(Unavailable) as caught:
        keyring.unwrap(wrapped, ("a",))
    assert caught.value.code == "lake.kek_missing"


@pytest.mark.django_db
class TestDataKeys:
    @pytest.fixture
    def keys(self, keyring: Keyring) -> StoredDataKeys:
        return StoredDataKeys(keyring)

    def test_each_version_has_its_own(self, keys: StoredDataKeys) -> None:
        assert keys.create(ONE) == keys.create(ONE) == keys.secret(ONE)
        assert keys.create(TWO) != keys.create(ONE)
        assert len(keys.create(ONE)) == 32

    def test_rows_hold_no_secret_and_cannot_be_swapped(self, keys: StoredDataKeys) -> None:
        keys.create(ONE)
        keys.create(TWO)
        one, two = DataKey.objects.get(version="ver_one"), DataKey.objects.get(version="ver_two")
        assert (one.algorithm, one.kek_id) == ("AES-256-GCM", keys.keyring.known()[-1])
        DataKey.objects.filter(pk=one.pk).update(wrapped=two.wrapped)
        with pytest.raises(Conflict, match=r"lake\.key"):
            keys.secret(ONE)

    def test_destroyed_is_destroyed(self, keys: StoredDataKeys) -> None:
        keys.create(ONE)
        keys.destroy(ONE)
        keys.destroy(ONE)
        assert DataKey.objects.get().wrapped == ""
        for ask in (keys.secret, keys.create):
            with pytest.raises(Conflict) as caught:
                ask(ONE)
            assert caught.value.code == "lake.key_destroyed"

    def test_rotation_keeps_data_and_ends_the_old_key(self, keys: StoredDataKeys, store: DuckDBStore) -> None:
        [file] = store.write_files({"model.json": b"{}"}, ONE, encrypted=True)
        keys.create(TWO)
        keys.destroy(TWO)
        before, [old] = DataKey.objects.get(version="ver_one"), keys.keyring.known()
        assert rotate_kek(keys.keyring) == 1
        after, [new] = DataKey.objects.get(version="ver_one"), keys.keyring.known()
        assert (after.kek_id, after.wrapped != before.wrapped, old != new) == (new, True, True)
        assert store.read_file(file, ONE) == b"{}"
        # A copy of the rows from before the rotation opens nothing any more.
        before.save()
        with pytest.raises(Unavailable) as caught:
            store.read_file(file, ONE)
        assert caught.value.code == "lake.kek_missing"

    def test_keys_made_in_the_same_millisecond_rotate_alike(
        self, keys: StoredDataKeys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Within a millisecond ids do not sort by age, so "the newest" must not be guessed.
        monkeypatch.setattr(time, "time_ns", lambda: 1_772_000_000_000_000_000)
        secret = keys.create(ONE)
        for _ in range(8):
            rotate_kek(keys.keyring)
            assert keys.secret(ONE) == secret


def test_the_home_alone_opens_nothing(tmp_path: Path, keyring: Keyring) -> None:
    assert tmp_path / "home" not in keyring.folder.parents


def test_only_keys_of_versions_that_were_never_written_are_forgotten(db: None, tmp_path: Path) -> None:
    """A password's key and that of an asset's sketches lie beside no file, and are kept however old they are."""
    keys = StoredDataKeys(Keyring(tmp_path / "keks"))
    places = [Place("pty_a", "ast_b", name) for name in ("ver_never", "ver_there", "password", "sketches")]
    secrets = {place.version: keys.create(place) for place in places}
    keys.forget(lambda place: place.version == "ver_there", older_than=-60)
    for place in places[1:]:
        assert keys.secret(place) == secrets[place.version]
    assert not DataKey.objects.filter(version="ver_never").exists()
