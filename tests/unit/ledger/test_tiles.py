"""Where tiles are served, what they hold, and that growing a tree for long costs no memory."""

import tracemalloc
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.ledger.merkle import SIZE, Frontier, inclusion_proof, leaf_hash, root, verify_inclusion
from shudu.ledger.tiles import (
    WIDTH,
    Position,
    TilePath,
    Tree,
    encode_bundle,
    growing,
    hashes_from,
    parse_bundle,
    tiles_for,
)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TilePath(0, 0), "tile/0/000"),
        (TilePath(0, 1234067), "tile/0/x001/x234/067"),
        (TilePath(1, 67, 12), "tile/1/067.p/12"),
        (TilePath(63, 1000), "tile/63/x001/000"),
        (TilePath(None, 999, 255), "tile/entries/999.p/255"),
    ],
)
def test_paths_of_the_specification(tile: TilePath, path: str) -> None:
    assert str(tile) == path
    assert TilePath.parse(path) == tile


@given(st.one_of(st.none(), st.integers(0, 63)), st.integers(0, 2**60), st.integers(1, 256))
def test_a_path_reads_back(level: int | None, index: int, width: int) -> None:
    tile = TilePath(level, index, width)
    assert TilePath.parse(str(tile)) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/1000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/012",
        "tile/0/000.p/999",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/entries/x",
        "tile/0/" + "x001/" * 100 + "000",
        "/tile/0/000",
        "tile/0/../000",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a tile's path"):
        TilePath.parse(path)


def test_the_specifications_example_of_70_000() -> None:
    assert growing(70_000) == [((0, 273), 112), ((1, 1), 17), ((2, 0), 1)]
    assert growing(256) == [((1, 0), 1)]
    assert growing(0) == []


def grow(size: int, step: int) -> tuple[dict[Position, bytes], Tree]:
    tree, stored = Tree(Frontier(), {}), dict[Position, bytes]()
    for number in range(size):
        tree.append(leaf_hash(b"%d" % number))
        if number % step == 0:
            stored |= tree.take()
    return stored | tree.take(), tree


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000])
def test_tiles_hold_what_the_specification_says(size: int) -> None:
    stored, tree = grow(size, 777)
    hashes = hashes_from(stored)
    assert root(size, hashes) == tree.frontier.root()
    widths = {position: len(tile) // SIZE for position, tile in stored.items()}
    expected = dict(growing(size))
    assert tree.partial() == {position: stored[position] for position in expected}
    for level in range(4):
        expected |= {(level, index): WIDTH for index in range(size // WIDTH ** (level + 1))}
    assert widths == expected
    for index in {0, size // 2, size - 1} if size else ():
        proof = inclusion_proof(index, size, hashes)
        assert verify_inclusion(leaf_hash(b"%d" % index), index, size, proof, tree.frontier.root())


def test_a_proof_reads_few_tiles_and_no_others() -> None:
    stored, tree = grow(70_000, 5_000)
    for index in range(0, 70_000, 997):
        wanted = tiles_for(partial(inclusion_proof, index, 70_000))
        assert len(wanted) <= 5
        proof = inclusion_proof(index, 70_000, hashes_from({place: stored[place] for place in wanted}))
        assert verify_inclusion(leaf_hash(b"%d" % index), index, 70_000, proof, tree.frontier.root())


@given(st.integers(0, 600), st.integers(0, 600), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_stopping_and_going_on_changes_nothing(before: int, after: int, step: int) -> None:
    stored, tree = grow(before, step)
    again = Tree(Frontier(before, tree.frontier.packed()), {place: stored[place] for place, _ in growing(before)})
    for number in range(before, before + after):
        again.append(leaf_hash(b"%d" % number))
    assert stored | again.take() == grow(before + after, 1_000)[0]


def test_a_tree_wants_the_growing_tiles_of_its_size() -> None:
    with pytest.raises(ValueError, match="growing tiles"):
        Tree(Frontier(1, b"\0" * 32), {})


def test_a_narrow_tile_is_an_error_not_a_wrong_hash() -> None:
    with pytest.raises(LookupError, match="narrower"):
        root(4, hashes_from({(0, 0): b"\0" * 64}))
    with pytest.raises(LookupError):
        root(4, hashes_from({}))


def test_long_growth_keeps_memory_flat() -> None:
    tree, leaf = Tree(Frontier(), {}), leaf_hash(b"")

    def append(count: int) -> int:
        tracemalloc.reset_peak()
        for number in range(count):
            tree.append(leaf)
            if number % 10_000 == 0:
                tree.take()
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    early, late = append(50_000), append(350_000)
    tracemalloc.stop()
    assert tree.frontier.size == 400_000
    assert late < early + 50_000  # bytes; the hashes alone would be 11 MB more


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_read_back(entries: list[bytes]) -> None:
    assert parse_bundle(encode_bundle(entries)) == entries


def test_bundles_hold_entries_up_to_their_limit() -> None:
    assert parse_bundle(encode_bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(ValueError, match="65536 bytes"):
        encode_bundle([b"x" * 65_536])
    for cut in (b"\0", b"\0\5abc"):
        with pytest.raises(ValueError, match="ends inside"):
            parse_bundle(cut)
