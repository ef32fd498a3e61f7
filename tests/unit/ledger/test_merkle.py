"""Hashing and proofs: the reference implementation's vectors, every small tree, and random large ones."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves and the roots over the first n of them in certificate-transparency's own tests.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


class Grown:
    """A tree of numbered leaves with every node kept, and its root at every size."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"%d" % number) for number in range(size)]
        self.nodes: dict[tuple[int, int], bytes] = {}
        frontier = Frontier()
        self.roots = [frontier.root()]
        for leaf in self.leaves:
            for level, index, node in frontier.append(leaf):
                self.nodes[level, index] = node
            self.roots.append(frontier.root())

    def hashes(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


SMALL, LARGE = Grown(70), Grown(70_000)
EDGES = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 69_999, 70_000]
sizes = st.one_of(st.sampled_from(EDGES), st.integers(1, 70_000))


def test_the_reference_vectors() -> None:
    frontier = Frontier()
    for size, expected in enumerate(ROOTS):
        assert frontier.root().hex() == expected
        if size < len(LEAVES):
            frontier.append(leaf_hash(LEAVES[size]))


def test_reference_proofs() -> None:
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = Frontier()
    for leaf in LEAVES:
        nodes |= {(level, index): node for level, index, node in frontier.append(leaf_hash(leaf))}
    path = inclusion_proof(0, 8, lambda level, index: nodes[level, index])
    assert [node.hex() for node in path] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    path = consistency_proof(6, 8, lambda level, index: nodes[level, index])
    assert [node.hex() for node in path] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_small_root_is_the_definitions() -> None:
    for size in range(71):
        assert SMALL.roots[size] == by_definition(SMALL.leaves[:size]) == root(size, SMALL.hashes)


def test_every_small_inclusion_and_nothing_else() -> None:
    for size in range(1, 71):
        for index in range(size):
            proof = inclusion_proof(index, size, SMALL.hashes)
            leaf, top = SMALL.leaves[index], SMALL.roots[size]
            for claimed in range(size + 1):
                assert verify_inclusion(leaf, claimed, size, proof, top) == (claimed == index)
            assert not verify_inclusion(SMALL.leaves[index - 1], index, size, proof, top) or size == 1
            assert not verify_inclusion(leaf, index, size, [*proof, top], top)
            assert not verify_inclusion(leaf, index, size, proof[:-1], top) or not proof
            assert not verify_inclusion(leaf, index, size, proof, SMALL.roots[size - 1])


def test_every_small_extension_and_nothing_else() -> None:
    for new in range(71):
        for old in range(new + 1):
            proof = consistency_proof(old, new, SMALL.hashes)
            a, b = SMALL.roots[old], SMALL.roots[new]
            assert verify_consistency(old, new, a, b, proof)
            if 0 < old < new:
                assert not verify_consistency(old, new, SMALL.roots[old - 1], b, proof)
                assert not verify_consistency(old, new, a, SMALL.roots[new - 1], proof)
                assert not verify_consistency(old, new, a, b, proof[:-1])
                assert not verify_consistency(old, new, a, b, [*proof, b])
                assert not verify_consistency(old, new, a, b, [])
            for wrong in range(new + 1):
                if wrong != old:
                    assert not verify_consistency(wrong, new, a, b, proof)


@given(sizes, st.data())
@settings(max_examples=200, deadline=None)
def test_large_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, LARGE.hashes)
    assert len(proof) <= (size - 1).bit_length()
    assert verify_inclusion(LARGE.leaves[index], index, size, proof, LARGE.roots[size])
    other = data.draw(st.integers(0, size - 1))
    assert verify_inclusion(LARGE.leaves[index], other, size, proof, LARGE.roots[size]) == (other == index)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = sha256(proof[at]).digest()
        assert not verify_inclusion(LARGE.leaves[index], index, size, proof, LARGE.roots[size])


@given(sizes, sizes, st.data())
@settings(max_examples=200, deadline=None)
def test_large_consistency(one: int, other: int, data: st.DataObject) -> None:
    old, new = sorted((one, other))
    proof = consistency_proof(old, new, LARGE.hashes)
    assert len(proof) <= new.bit_length() + 1
    assert verify_consistency(old, new, LARGE.roots[old], LARGE.roots[new], proof)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = sha256(proof[at]).digest()
        assert not verify_consistency(old, new, LARGE.roots[old], LARGE.roots[new], proof)


@given(st.integers(0, 70_000))
@settings(max_examples=50, deadline=None)
def test_a_packed_frontier_goes_on_where_it_stopped(size: int) -> None:
    first, second = Frontier(), Frontier()
    for leaf in LARGE.leaves[:size]:
        first.append(leaf)
    second = Frontier(first.size, first.packed())
    assert second.root() == LARGE.roots[size]
    if size < 70_000:
        second.append(LARGE.leaves[size])
        assert second.root() == LARGE.roots[size + 1]


def test_out_of_range_is_refused() -> None:
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        assert not verify_inclusion(SMALL.leaves[0], index, size, [], SMALL.roots[1])
        with pytest.raises(ValueError, match="no entry"):
            inclusion_proof(index, size, SMALL.hashes)
    for old, new in ((-1, 5), (6, 5)):
        assert not verify_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, [])
        with pytest.raises(ValueError, match="does not extend"):
            consistency_proof(old, new, SMALL.hashes)
    with pytest.raises(ValueError, match="peaks"):
        Frontier(3, b"\0" * 32)
    with pytest.raises(ValueError, match="peaks"):
        Frontier(-1)
