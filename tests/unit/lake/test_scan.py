"""Laws of the byte scanner: how a file is cut into chunks does not matter, and whatever csv writes it accepts."""

from __future__ import annotations

import csv
import hashlib
import io
from itertools import pairwise

from hypothesis import given
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


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    # A byte order mark is looked for in the first three bytes: the first chunk is never shorter in life.
    points = [0, *sorted(each for each in set(cuts) if 3 <= each < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(points)]


@given(st.text(alphabet='",\n a成').map(str.encode), st.lists(st.integers(0, 60)))
def test_chunks_change_neither_the_answer_nor_the_row(data: bytes, cuts: list[int]) -> None:
    assert outcome(cut(data, cuts)) == outcome([data])


@given(st.text(alphabet='",\n\r a成\ufeff\0').map(str.encode) | st.binary(max_size=40), st.lists(st.integers(0, 60)))
def test_chunks_do_not_change_what_is_accepted(data: bytes, cuts: list[int]) -> None:
    # With several faults, which of them is named first may depend on the cut.
    one, other = outcome(cut(data, cuts)), outcome([data])
    assert one == other or len(one) == len(other) == 2


@given(st.text(alphabet='",\n\r a'))
def test_accepts_only_what_reads_alike_everywhere(text: str) -> None:
    if len(outcome([text.encode()])) == 3:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        again = io.StringIO(newline="")
        csv.writer(again, lineterminator="\r\n").writerows(records)
        assert list(csv.reader(io.StringIO(again.getvalue(), newline=""), strict=True)) == records
        assert sum(len(record) - 1 for record in records if record) == outcome([text.encode()])[1]


cells = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\ufeff"), max_size=8)


@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1)),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_accepts_what_csv_writes(rows: list[list[str]], quoting: int, end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(rows)
    data = text.getvalue().encode()
    commas = (len(rows[0]) - 1) * len(rows)
    assert outcome([data]) == (hashlib.sha256(data).hexdigest(), commas, len(data))
