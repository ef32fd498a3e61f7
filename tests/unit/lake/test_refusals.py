"""Files that are no strict CSV are refused in words that name the row and nothing of what stands in it."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place
from shudu.policy.types import Conflict, Invalid

PLACE = Place("pty_one", "ast_one", "ver_one")
SECRET = "Zhangsan8964"
GOOD = "".join(f"{number},{SECRET}\n" for number in range(3))


def _xlsx() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"no": [1]}), sink)
    return bytes(sink.getvalue().to_pybytes())


# name: (content, code, row, words of the message)
BAD: dict[str, tuple[str | bytes, str, int | None, str]] = {
    "empty": ("", "publish.empty", None, "empty"),
    "header only": ("no,name\n", "publish.empty", None, "no rows"),
    "header without line end": ("no,name", "publish.empty", None, "no rows"),
    "header and blank lines": ("no,name\n\n\n", "publish.empty", None, "no rows"),
    "byte order mark only": (b"\xef\xbb\xbf", "publish.format", 1, "no column names"),
    "blank first line": (f"\nno,name\n{GOOD}", "publish.format", 1, "no column names"),
    "two columns alike": (f"no,no\n{GOOD}", "publish.format", 1, "1 and 2 have the same name"),
    "alike but for case": (f"No,nO\n{GOOD}", "publish.format", 1, "1 and 2 have the same name"),
    "alike after NFC": ("café,cafe\u0301\n1,2\n", "publish.format", 1, "same name"),
    "a column without name": (f"no,\n{GOOD}", "publish.format", 1, "Column 2 has no name"),
    "a column named by blanks": (f"no,  \n{GOOD}", "publish.format", 1, "Column 2 has no name"),
    "a very long name": (f"no,{'x' * 201}\n{GOOD}", "publish.format", 1, "longer than 200"),
    "a name with a line break": (f'no,"na\nme"\n{GOOD}', "publish.format", 1, "control"),
    "a name with a bell": (f"no,na\ame\n{GOOD}", "publish.format", 1, "control"),
    "a name that reads backwards": (f"no,na\u202eme\n{GOOD}", "publish.format", 1, "invisible"),
    "1,001 columns": (",".join(f"c{n}" for n in range(1001)) + "\n", "publish.format", 1, "1001 columns"),
    "a short row": (f"no,name\n{GOOD}4\n5,b\n", "publish.format", 5, "1 cells; the header has 2"),
    "a long row": (f"no,name\n{GOOD}4,{SECRET},c\n", "publish.format", 5, "3 cells; the header has 2"),
    "an empty cell too many": (f"no,name\n{GOOD}4,{SECRET},\n", "publish.format", 5, "3 cells; the header has 2"),
    "an empty cell too many, everywhere": ("no,name\n1,a,\n2,b,\n", "publish.format", 2, "3 cells"),
    "a short row after a cell of two lines": (f'no,name\n1,"a\n{SECRET}"\n2\n', "publish.format", 3, "1 cells"),
    "one column, then two": (f"no\n1\n2,{SECRET}\n", "publish.format", 3, "2 cells; the header has 1"),
    "a quote never closed": (f'no,name\n{GOOD}4,"{SECRET}\n5,b\n', "publish.format", 5, "never closed"),
    "a quote inside a cell": (f'no,name\n{GOOD}4,5" {SECRET}\n', "publish.format", 5, "wrong place"),
    "text after a closing quote": (f'no,name\n{GOOD}4,"{SECRET}"x\n', "publish.format", 5, "wrong place"),
    "a blank before a quote": (f'no,name\n{GOOD}4, "{SECRET}"\n', "publish.format", 5, "wrong place"),
    "a blank after a quote": (f'no,name\n{GOOD}4,"{SECRET}" \n', "publish.format", 5, "wrong place"),
    "an unclosed header": (f'no,"name\n{GOOD}', "publish.format", 1, "quotes"),
    "mixed line ends": ("no,name\r\n1,a\n2,b\r\n3,c\n", "publish.format", None, "CRLF, others in LF"),
    "a carriage return in a cell": ("no,name\n1,a\n2,b\rc\n", "publish.format", 3, "carriage return"),
    "carriage returns only": ("no,name\r1,a\r2,b\r", "publish.format", 1, "carriage return"),
    "a NUL byte": (f"no,name\n{GOOD}4,\0\n", "publish.format", None, "NUL"),
    "a NUL byte far away": (f"no,name\n{GOOD * 40_000}4,\0\n", "publish.format", 120_002, "NUL"),
    "GB 18030": (f"no,name\n{GOOD}4,成都市\n".encode("gb18030"), "publish.format", 5, "GB18030"),
    "GB 18030 far away": (
        f"no,name\n{GOOD * 40_000}4,成都市\n".encode("gb18030"), "publish.format", 120_002, "GB18030",
    ),
    "Latin 1": ("no,name\n1,caf\u00e9\n".encode("latin-1"), "publish.format", 2, "not in UTF-8"),
    "ends within a character": (f"no,name\n{GOOD}4,".encode() + b"\xe6\x88", "publish.format", 5, "within a character"),
    "a surrogate": (b"no,name\n1,\xed\xa0\x80\n", "publish.format", 2, "not in UTF-8"),
    "UTF-16": (f"no,name\n{GOOD}".encode("utf-16"), "publish.format", None, "UTF-16"),
    "UTF-16 without a mark": (f"no,name\n{GOOD}".encode("utf-16-le"), "publish.format", None, "UTF-16"),
    "UTF-32": (f"no,name\n{GOOD}".encode("utf-32"), "publish.format", None, "UTF-32"),
    "a workbook": (_xlsx(), "publish.format", None, "XLSX"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "publish.format", None, "XLS"),
    "gzip": (gzip.compress(b"no,name\n1,a\n"), "publish.format", None, "gzip"),
    "Parquet": (_parquet(), "publish.format", None, "Parquet"),
    "SQLite": (b"SQLite format 3\0" + bytes(100), "publish.format", None, "SQLite"),
    "JSON records": (f'[{{"no": 1, "name": "{SECRET}"}}]', "publish.format", None, "JSON"),
    "JSON lines": (f'{{"no": 1}}\n{{"name": "{SECRET}"}}\n', "publish.format", None, "JSON"),
    "XML": (f"<?xml version='1.0'?><no>{SECRET}</no>", "publish.format", None, "XML"),
    "HTML": (f"<!DOCTYPE html><p>{SECRET}</p>", "publish.format", None, "HTML"),
    "tabs": (f"no\tname\n1\t{SECRET}\n", "publish.format", 1, "tabs"),
    "semicolons": (f"no;name\n1;{SECRET}\n", "publish.format", 1, "semicolons"),
    "full-width commas": (f"no，name\n1，{SECRET}\n", "publish.format", 1, "full-width"),
    "a cell of three megabytes": (f"no,name\n1,{SECRET * 250_000}\n", "publish.format", 2, "longer than 2 MB"),
    "a key twice": (f"no,name\n1,{SECRET}\n2,b\n\n2,c\n1,d\n", "publish.key", 5, "repeats an earlier value in 2 rows"),
    "a key missing": (f"no,name\n1,{SECRET}\n,b\n,c\n", "publish.key", 3, "empty in 2 rows"),
    "a key of blanks": (f'no,name\nx,{SECRET}\n"  ",b\n', "publish.key", 3, "empty in 1 rows"),
    "a key of quoted nothing": (f'no,name\nx,{SECRET}\n"",b\n', "publish.key", 3, "empty in 1 rows"),
    "another key": (f"number,name\n1,{SECRET}\n", "publish.key", None, "no column “no”"),
    "the key in capitals": (f"NO,name\n1,{SECRET}\n", "publish.key", None, "no column “no”"),
}  # fmt: skip


def refused(store: DuckDBStore, path: Path) -> Invalid:
    with pytest.raises(Invalid) as caught:
        store.write_csv(path, PLACE, key="no")
    lake = store.home / "lake"
    assert not (store.home / PLACE.folder).exists()
    assert not lake.exists() or not list((lake / ".staging").iterdir())
    return caught.value


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_words(name: str, store: DuckDBStore, write: Callable[..., Path]) -> None:
    content, code, row, words = BAD[name]
    error = refused(store, write(content))
    assert error.code == code
    assert error.where.get("row") == row
    assert words in error.message.en
    assert error.message.zh != error.message.en
    assert error.remedy is not None
    told = f"{error.message} {error.remedy} {error.where}"
    assert SECRET not in told
    # Two columns alike may be two cells of a first row: not even a header is quoted.
    assert code == "publish.key" or "name" not in str(error.where)


def test_what_is_no_file_is_refused(store: DuckDBStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.csv", tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert refused(store, path).code == "publish.file"


def test_a_link_is_followed_to_its_file(store: DuckDBStore, write: Callable[..., Path], tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(write("no,name\n1,a\n"))
    assert store.write_csv(link, PLACE, key="no").rows == 1


def test_names_are_no_patterns(store: DuckDBStore, write: Callable[..., Path]) -> None:
    # The engine would take a star for a pattern and read both files as one.
    write("no,name\n1,a\n", "a1.csv")
    assert store.write_csv(write("no,name\n2,b\n3,c\n", "a*.csv"), PLACE, key="no").rows == 2


def test_the_size_is_capped(store: DuckDBStore, write: Callable[..., Path]) -> None:
    small = DuckDBStore(store.home, store.keys, max_bytes=1 << 20)
    path = write("no,name\n" + "1,abcdefgh\n" * 100_000)
    assert refused(small, path).code == "publish.size"
    assert "1 MB" in refused(small, path).message.en


def test_a_source_that_changes_is_not_blamed_for_what_it_became(
    store: DuckDBStore, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shudu.lake import ingest

    path = write("no,name\n1,a\n2,b\n")
    copy = ingest._copy

    def meddle(*args: object) -> object:
        with path.open("ab") as file:
            file.write(b"3\n")
        return copy(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "_copy", meddle)
    with pytest.raises(Conflict) as caught:
        store.write_csv(path, PLACE, key=None)
    assert caught.value.code == "publish.changed"


def test_a_source_that_changes_is_refused(
    store: DuckDBStore, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shudu.lake import arrival as module

    path = write("no,name\n1,a\n2,b\n")
    watch = module.watch

    def meddle(*args: object, **kwargs: object) -> object:
        with path.open("r+b") as file:
            file.write(b"NO")
        return watch(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "watch", meddle)
    with pytest.raises(Conflict) as caught:
        store.write_csv(path, PLACE, key=None)
    assert caught.value.code == "publish.changed"
    assert not (store.home / PLACE.folder).exists()
