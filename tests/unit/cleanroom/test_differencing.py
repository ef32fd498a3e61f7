"""What could be told by subtracting releases is found exactly, and nothing else is."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.cleanroom import differencing
from shudu.cleanroom.differencing import Guard, Partition, Unknown, keyed_hashes, light_cut, rows_of

SECRET = bytes(range(16))
People = dict[int, int]  # entity → cell


def hashes(keys: Any) -> np.ndarray:
    return keyed_hashes(pa.array(keys), SECRET)


def guard(new: People, *earlier: Partition, k: int = 3) -> Guard:
    cell = np.array(list(new.values()), np.int64)
    return Guard(cell, np.arange(len(new)), hashes(list(new)), max(new.values()) + 1, earlier, k)


def sketch(old: People, k: int = 3) -> Partition:
    return guard(old, k=k).sketch(np.arange(max(old.values()) + 1))


def unions(people: People) -> list[frozenset[int]]:
    """The people behind every sum of cells."""
    cells = sorted(set(people.values()))
    chosen = chain.from_iterable(combinations(cells, size) for size in range(len(cells) + 1))
    return [frozenset(one for one, cell in people.items() if cell in some) for some in chosen]


def tellable(new: People, old: People, k: int) -> bool:
    """Brute force: do some cells of the one and some of the other differ by fewer than k people, but by some?"""
    return any(0 < len(a ^ b) < k for a in unions(new) for b in unions(old))


PEOPLE = st.dictionaries(st.integers(0, 30), st.integers(0, 4), min_size=1, max_size=24)


def renumbered(people: People) -> People:
    found = sorted(set(people.values()))
    return {one: found.index(cell) for one, cell in people.items()}


@given(new=PEOPLE, old=PEOPLE, same=st.booleans(), k=st.integers(1, 6))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_guard_finds_what_brute_force_finds(new: People, old: People, same: bool, k: int) -> None:
    if same:  # the usual case: two releases of the same version
        old = {one: old.get(one, 0) for one in new}
    new, old = renumbered(new), renumbered(old)
    none = np.zeros(max(new.values()) + 1, bool)
    found = guard(new, sketch(old, k), k=k).offends(none)
    assert (found is not None) == tellable(new, old, k)


@given(new=PEOPLE, old=PEOPLE, k=st.integers(1, 6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_merging_what_offends_ends_in_a_release_that_tells_nothing_or_in_none(new: People, old: People, k: int) -> None:
    new, old = renumbered(new), renumbered(old)
    watch = guard(new, sketch(old, k), k=k)
    merged = np.zeros(max(new.values()) + 1, bool)
    while (found := watch.offends(merged)) is not None and not merged.all():
        assert not merged[found].any()
        merged[found if len(found) else np.flatnonzero(~merged)[:1]] = True
    row = rows_of(merged)
    released = {one: int(row[cell]) for one, cell in new.items()}
    if found is None:
        assert not tellable(released, old, k)
    else:
        # Refused for good reason: all people together differ from some earlier sum.
        assert tellable(dict.fromkeys(new, 0), old, k)


def test_entities_in_several_cells_are_compared_cell_by_cell() -> None:
    # Two cells that share people, and later the same again: nothing to tell. One person more: the difference is one.
    cell, entity = np.array([0] * 10 + [1] * 10), np.array([*range(10), *range(5, 15)])
    first = Guard(cell, entity, hashes(range(15)), 2, (), 3).sketch(np.arange(2))
    assert len(first.hashes) == 20
    none = np.zeros(2, bool)
    assert Guard(cell, entity, hashes(range(15)), 2, (first,), 3).offends(none) is None
    more = Guard(np.append(cell, 1), np.append(entity, 15), hashes(range(16)), 2, (first,), 3)
    assert more.offends(none) is not None


def test_hashes_are_those_of_the_text_and_of_the_secret() -> None:
    keys = ["", "a", "b" * 8, "b" * 9, "b" * 24, "b" * 25, "𠮷" * 30, "1", "12345678901234567"]
    found = hashes(keys)
    assert len(set(found.tolist())) == len(keys)
    assert hashes([1]).tolist() == [found[7]], "a number hashes as its text"
    assert hashes(keys[::-1])[::-1].tolist() == found.tolist()
    assert not set(found.tolist()) & set(keyed_hashes(pa.array(keys), bytes(16)).tolist())
    assert hashes(pa.array(keys).slice(3, 2)).tolist() == found[3:5].tolist()
    assert len(hashes(pa.array([], pa.string()))) == 0


def test_hashes_are_cbc_mac_of_aes() -> None:
    """Against the definition, block by block."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    def mac(text: str) -> int:
        data = text.encode()
        message = len(data).to_bytes(8, "little") + data
        message += bytes(-len(message) % 16)
        encryptor = Cipher(algorithms.AES(SECRET), modes.CBC(bytes(16))).encryptor()
        return int.from_bytes(encryptor.update(message)[-16:-8], "little")

    keys = ["", "张三", "C-000017", "x" * 100]
    assert hashes(keys).tolist() == [mac(key) for key in keys]


def test_a_graph_too_large_to_finish_is_not_called_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differencing, "MAX_STEPS", 5)
    left, right = np.divmod(np.arange(100), 10)
    with pytest.raises(Unknown):
        light_cut(left, right + 10, np.ones(100), 5)
