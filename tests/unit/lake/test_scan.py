"""Laws of the byte scanner: how a file is cut into chunks does not matter, and whatever csv writes it accepts."""

from __future__ import annotations

import csv
import hashlib
import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake.csvscan import Scan
from shudu.policy.types import Invalid

Outcome = tuple[str, int, int] | tuple[str, object]


def outcome(chunks: list[bytes]) -> Outcome:
    scan = Scan()
    try:
        for chunk in chunks:
            scan.feed(chunk)
        return scan.finish(), scan.commas, scan.bytes
    except Invalid as error:
        return error.message.en, error.where.get("row")


cells = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\ufeff"), max_size=8)
awkward = st.text(alphabet='",\r\n x', max_size=4)


def written(rows: list[list[str]], quoting: int, end: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


good = st.lists(st.lists(awkward, min_size=2, max_size=2), min_size=2).map(
    lambda rows: written(rows, csv.QUOTE_ALL, "\r\n")
)


# A byte order mark is looked for in the first three bytes: the first chunk is never shorter in life.
START = b"a,b"
cuts = st.lists(st.integers(3, 40), min_size=1, max_size=4)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    ends = [0, *sorted({point for point in points if point < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


@settings(max_examples=1_000)
@given(st.text(alphabet='",\n成', min_size=6, max_size=40).map(str.encode), cuts)
def test_chunks_change_neither_the_answer_nor_the_row(data: bytes, points: list[int]) -> None:
    assert outcome(cut(START + data, points)) == outcome([START + data])


@settings(max_examples=1_000)
@given(st.text(alphabet='",\n\r a成\ufeff\0', min_size=6).map(str.encode) | st.binary(min_size=6, max_size=40), cuts)
def test_chunks_do_not_change_what_is_accepted(data: bytes, points: list[int]) -> None:
    # With several faults, which of them is named first may depend on the cut.
    one, other = outcome(cut(START + data, points)), outcome([START + data])
    assert one == other or len(one) == len(other) == 2


@settings(max_examples=500)
@given(good, cuts)
def test_chunks_do_not_matter_to_good_files(data: bytes, points: list[int]) -> None:
    assert len(outcome([data])) == 3
    assert outcome(cut(data, points)) == outcome([data])


@pytest.mark.parametrize("at", range(4, 14))
def test_a_rounded_identifier_is_noticed_however_it_is_cut(at: int) -> None:
    scan, data = Scan(), b"id\n5.10104E+17\n6\n"
    scan.feed(data[:at])
    scan.feed(data[at:])
    assert scan.rounded


@settings(max_examples=1_000)
@given(st.binary(max_size=12) | st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")), cuts)
def test_takes_for_utf8_what_python_does(data: bytes, points: list[int]) -> None:
    data = START + b"," + bytes(byte for byte in data if byte not in b'\0\r"') + b"\n"
    try:
        data.decode()
    except UnicodeDecodeError:
        assert len(outcome(cut(data, points))) == 2
    else:
        assert len(outcome(cut(data, points))) == 3


@given(st.text(alphabet='",\n\r a'))
def test_accepts_only_what_reads_alike_everywhere(text: str) -> None:
    if len(outcome([text.encode()])) == 3:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        again = io.StringIO(newline="")
        csv.writer(again, lineterminator="\r\n").writerows(records)
        assert list(csv.reader(io.StringIO(again.getvalue(), newline=""), strict=True)) == records
        assert sum(len(record) - 1 for record in records if record) == outcome([text.encode()])[1]


@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1)),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_accepts_what_csv_writes(rows: list[list[str]], quoting: int, end: str) -> None:
    data = written(rows, quoting, end)
    commas = (len(rows[0]) - 1) * len(rows)
    assert outcome([data]) == (hashlib.sha256(data).hexdigest(), commas, len(data))
