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


@given(st.text(alphabet='",\n\r a成\ufeff\0').map(str.encode) | st.binary(max_size=40), st.lists(st.integers(0, 60)))
def test_chunks_do_not_matter(data: bytes, cuts: list[int]) -> None:
    # A byte order mark is looked for in the first three bytes: the first chunk is never shorter in life.
    points = [0, *sorted(cut for cut in set(cuts) if 3 <= cut < len(data)), len(data)]
    chunks = [data[start:end] for start, end in pairwise(points)]
    assert outcome(chunks) == outcome([data])


cells = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\ufeff"), max_size=8)


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
