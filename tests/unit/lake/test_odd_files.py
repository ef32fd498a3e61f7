"""A corpus of broken and odd files: each gives a table with notes, or a refusal that names code and place, in two
languages, and nothing that stands in a cell."""

# ruff: noqa: E501 - a table reads best with a case a line

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake import apart, queries
from shudu.lake.formats import encoding_of
from shudu.lake.store import DuckDBStore
from shudu.lake.types import Place, Reading, Recipe, Report
from shudu.policy.types import ShuduError
from unit.lake import in_process
from unit.lake import odd_files as odd
from unit.lake import odd_workbooks as books

PLACE = Place("pty_one", "ast_one", "ver_one")
SECRET = "Zhangsan8964"
SQUARE = {"type": "Polygon", "coordinates": [[[104, 30], [105, 30], [105, 31], [104, 31], [104, 30]]]}
BOWTIE = {"type": "Polygon", "coordinates": [[[104, 30], [105, 31], [105, 30], [104, 31], [104, 30]]]}
C = (("no", "C", 4), ("v", "N", 6))
TWO = [("no", "name"), ("1", "甲"), ("2", "乙")]
STATS = [
    ("成都市各区县统计表", None, None, None), ("单位：万元", None, None, None), ("区县", "人口", None, "产值（亿元）"),
    (None, "男", "女", None), ("锦江区", 10, 11, 1.5), ("青羊区", 20, 21, 2.5), ("小计", 30, 32, 4), ("合 计", 30, 32, 4),
    ("注：数据来源于抽样", None, None, None),
]  # fmt: skip
MERGED_FROM_0 = [(0, 0, 0, 3), (2, 2, 1, 2), (2, 3, 0, 0), (2, 3, 3, 3)]  # first row, last, first column, last
STATS_ROWS = [
    {"区县": "锦江区", "人口_男": 10, "人口_女": 11, "产值（亿元）": 1.5},
    {"区县": "青羊区", "人口_男": 20, "人口_女": 21, "产值（亿元）": 2.5},
]
STATS_NOTES = {"layout.above", "layout.unit", "layout.header", "workbook.merged"}
STATS_ASIDE = {"row.aside.note": 1, "row.aside.total": 2}
KINDS = [
    ("d", "t", "b", "f", "code", "id"),
    (date(2024, 3, 5), datetime(2024, 3, 5, 9, 5, 1), True, 0.1, "0028", "510104199003071237"),
]

Content = bytes | Callable[[], bytes]

# name: (file name, content, reading, code, where)
REFUSED: dict[str, tuple[str, Content, dict[str, Any], str, dict[str, Any]]] = {
    "nothing": ("a.csv", b"", {}, "publish.empty", {}),
    "a mark alone": ("a.csv", b"\xef\xbb\xbf", {}, "publish.empty", {}),
    "blank lines": ("a.csv", b"\n\n\n", {}, "publish.empty", {}),
    "a header alone": ("a.csv", b"no,name\n", {}, "publish.empty", {}),
    "ragged": ("a.csv", b"no,name\n1,a\n2\n", {}, "row.width", {"row": 3, "column": 2}),
    "ragged in GB 18030": ("a.csv", "编号,名\n1,甲\n2,乙,丙\n".encode("gb18030"), {}, "row.width", {"row": 3, "column": 3}),
    "a quote never closed": ("a.csv", f'no,name\n1,"{SECRET}\n2,b\n'.encode(), {}, "row.quotes", {"row": 2}),
    "a quote in a cell": ("a.csv", f'no,name\n1,{SECRET}"x\n'.encode(), {}, "row.quotes", {"row": 2}),
    "a quote after a blank": ("a.tsv", f'no\tname\n1\t "{SECRET}"\n'.encode(), {}, "row.quotes", {"row": 2}),
    "names twice": ("a.csv", b"no,no\n1,2\n", {}, "publish.header", {"row": 1, "column": 2}),
    "names alike but for case": ("a.csv", b"no,NO\n1,2\n", {}, "publish.header", {"row": 1, "column": 2}),
    "a column without a name": ("a.csv", b"no,,x\n1,2,3\n", {}, "publish.header", {"row": 1, "column": 2}),
    "a name that reads backwards": ("a.csv", "no,na\u202eme\n1,2\n".encode(), {}, "publish.header", {"row": 1, "column": 2}),
    "10,000 columns": ("a.csv", lambda: (",".join(f"c{n}" for n in range(10_000)) + "\n" + "1," * 9_999 + "1\n").encode(), {}, "publish.columns", {"row": 1}),
    "a cell of three megabytes": ("a.csv", lambda: f"no,name\n1,{SECRET * 250_000}\n".encode(), {}, "row.long", {"row": 2}),
    "a NUL": ("a.csv", b"no,name\n1,a\n2,\0\n", {}, "row.nul", {"row": 3}),
    "two encodings": ("a.csv", "no,名\n1,甲\n".encode() + "2,乙丙\n".encode("gb18030"), {}, "row.encoding", {"row": 3}),
    "two encodings, mostly GB": ("a.csv", "no,名\n1,甲乙\n2,丙丁\n".encode("gb18030") + "3,武侯\n".encode(), {}, "row.encoding", {"row": 4}),
    "no known encoding": ("a.csv", b"no,n\n1,\xff\xfe\xff\xff\n", {}, "publish.encoding", {"row": 2}),
    "bytes in no order": ("a.csv", bytes(range(256)) * 3 + b"\0\xff" * 60, {}, "publish.encoding", {}),
    "cut in a character": ("a.csv", "no,名\n1,甲\n2,".encode() + b"\xe6\x88", {}, "row.encoding", {"row": 3}),
    "gzip": ("a.csv", gzip.compress(b"no\n1\n"), {}, "publish.format", {}),
    "PDF": ("a.pdf", b"%PDF-1.7\n", {}, "publish.format", {}),
    "a page named XLS": ("a.xls", b"<html><table><tr><td>1</td></tr></table></html>", {}, "publish.format", {}),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(50), {}, "publish.format", {}),
    "7z": ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50), {}, "publish.format", {}),
    "RAR": ("a.zip", b"Rar!\x1a\x07\x01\x00" + bytes(50), {}, "publish.format", {}),
    "UTF-32": ("a.csv", "no\n1\n".encode("utf-32"), {}, "publish.format", {}),
    "several sheets": ("a.xlsx", lambda: odd.book(("甲", TWO), ("乙", TWO)), {}, "publish.choose", {"choices": ["甲", "乙"]}),
    "a sheet that is not there": ("a.xlsx", lambda: odd.book(("甲", TWO)), {"sheet": "丙"}, "publish.choose", {"choices": ["甲"]}),
    "an empty workbook": ("a.xlsx", lambda: odd.book(("甲", [])), {}, "publish.empty", {}),
    "a workbook cut": ("a.xlsx", lambda: odd.book(("甲", TWO))[:-300], {}, "publish.damaged", {}),
    "a workbook that is none": ("a.xlsx", lambda: odd.zipped({"xl/workbook.xml": b"<nonsense"}), {}, "publish.damaged", {}),
    "an old workbook cut": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), {}, "publish.damaged", {}),
    "an old workbook under a password": ("a.xls", books.xls_under_a_password, {}, "publish.password", {}),
    "a workbook under a password": ("a.xlsx", books.xlsx_under_a_password, {}, "publish.password", {}),
    "an open workbook under a password": ("a.ods", lambda: books.ods(("甲", TWO), locked=True), {}, "publish.password", {}),
    "a workbook of Excel 95": ("a.xls", books.excel_95, {}, "publish.format", {}),
    "an old document named XLS": ("a.xls", lambda: books.compound(bytes(4_096), "WordDocument"), {}, "publish.format", {}),
    "several sheets in an old workbook": ("a.xls", lambda: books.xls(("甲", TWO), ("乙", TWO)), {}, "publish.choose", {"choices": ["甲", "乙"]}),
    "several sheets in an open workbook": ("a.ods", lambda: books.ods(("甲", TWO), ("乙", TWO)), {}, "publish.choose", {"choices": ["甲", "乙"]}),
    "an identity number as a number, XLS": ("a.xls", lambda: books.xls(("甲", [("id", "x"), (510104199003071237, 1)])), {}, "row.digits", {"row": 2, "column": 1}),
    "an identity number typed as a number": ("a.xlsx", lambda: odd.book(("甲", [("id", "x"), (510104199003071237, 1)])), {}, "row.digits", {"row": 2, "column": 1}),
    "identity numbers a spreadsheet rounded": ("a.csv", b"id,x\n5.10104E+17,a\n,b\n5.10104199003071E+17,c\n", {}, "row.digits", {"row": 2, "column": "id"}),
    "two names alike in a sheet": ("a.xlsx", lambda: odd.book(("甲", [("a", "a"), (1, 2)])), {}, "publish.header", {"row": 1, "column": 2}),
    "a sheet that bursts": ("a.xlsx", odd.sheet_bomb, {}, "publish.bomb", {}),
    "an archive that bursts": ("a.zip", lambda: odd.zipped({"a.csv": b"0" * (100 << 20)}), {}, "publish.bomb", {}),
    "an archive of too many files": ("a.zip", lambda: odd.zipped({f"{n}": b"" for n in range(10_001)}), {}, "publish.bomb", {}),
    "a way out of the archive": ("a.zip", lambda: odd.zipped({"../../etc/a.csv": b"no\n1\n"}), {}, "publish.traversal", {}),
    "an absolute path": ("a.zip", lambda: odd.zipped({"/tmp/a.csv": b"no\n1\n"}), {}, "publish.traversal", {}),
    "a way out in Windows' manner": ("a.zip", lambda: odd.zipped({"..\\a.csv": b"no\n1\n"}), {}, "publish.traversal", {}),
    "a link in the archive": ("a.zip", odd.linked, {}, "publish.traversal", {}),
    "an archive in an archive": ("a.zip", lambda: odd.zipped({"a.zip": odd.zipped({"b.csv": b"1"})}), {}, "publish.nested", {}),
    "an archive with a password": ("a.zip", odd.locked, {}, "publish.password", {}),
    "two files in the archive": ("a.zip", lambda: odd.zipped({"a.csv": b"no\n1\n", "b.csv": b"no\n2\n"}), {}, "publish.choose", {"choices": ["a.csv", "b.csv"]}),
    "an empty archive": ("a.zip", lambda: odd.zipped({}), {}, "publish.empty", {}),
    "an archive cut": ("a.zip", lambda: odd.zipped({"a.csv": b"no\n1\n"})[:-30], {}, "publish.damaged", {}),
    "JSON cut": ("a.json", b'[{"no": 1}, {"no": 2', {}, "row.json", {"row": 2}),
    "JSON of numbers": ("a.json", b"[[1], [2]]", {}, "row.object", {"row": 1}),
    "JSON with a field twice": ("a.json", b'[{"a": 1, "a": 2}]', {}, "row.repeated", {"row": 1}),
    "JSON with NaN": ("a.json", b'[{"a": NaN}]', {}, "row.nan", {"row": 1}),
    "JSON with half a character": ("a.json", b'[{"a": 1}, {"a": "\\ud800"}]', {}, "row.encoding", {"row": 2}),
    "JSON with two fields for one column": ("a.json", b'[{"a.b": 1, "a": {"b": 2}}]', {}, "row.field", {"row": 1}),
    "features with a field twice": ("a.geojson", b'{"type": "FeatureCollection", "features": [{"properties": {"a": 1}, "properties": {"a": 2}, "geometry": null}]}', {}, "row.repeated", {"row": 1}),
    "JSON without records": ("a.json", b"[]", {}, "publish.empty", {}),
    "JSON that goes on": ("a.json", b'[{"a": 1}] x', {}, "row.json", {"row": 2}),
    "JSON a thousand deep": ("a.json", b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", {}, "row.json", {"row": 1}),
    "a broken line of JSON": ("a.ndjson", b'{"a": 1}\n{"a": \n{"a": 3}\n', {}, "row.json", {"row": 2}),
    "Parquet cut": ("a.parquet", lambda: odd.parquet(pa.table({"a": range(9)}))[:-40], {}, "publish.damaged", {}),
    "Parquet overwritten": ("a.parquet", lambda: b"PAR1" + bytes(300) + b"PAR1", {}, "publish.damaged", {}),
    "Parquet without columns": ("a.parquet", lambda: odd.parquet(pa.table({})), {}, "publish.empty", {}),
    "Parquet without rows": ("a.parquet", lambda: odd.parquet(pa.table({"a": pa.array([], pa.int64())})), {}, "publish.empty", {}),
    "Arrow cut": ("a.arrow", lambda: odd.arrow(pa.table({"a": range(9)}))[:-30], {}, "publish.damaged", {}),
    "several tables": ("a.db", lambda: odd.sqlite("CREATE TABLE a (x)", "CREATE TABLE b (x)"), {}, "publish.choose", {"choices": ["a", "b"]}),
    "a database of views": ("a.db", lambda: odd.sqlite("CREATE VIEW v AS SELECT 1"), {}, "publish.empty", {}),
    "a database overwritten": ("a.db", b"SQLite format 3\0" + b"\xff" * 4_000, {}, "publish.damaged", {}),
    "a DBF cut": ("a.dbf", lambda: odd.dbf(C, [b" 0028    12"], count=9), {}, "publish.damaged", {"row": 2}),
    "a DBF number too wide": ("a.dbf", lambda: odd.dbf(C, [b" 0028******"]), {}, "row.value", {"row": 1, "column": "v"}),
    "a day in no calendar, GeoPackage": ("a.gpkg", lambda: odd.geopackage("SELECT DATE '2024-03-05' AS d FROM range(2)", "UPDATE 图 SET d = '2024-02-30' WHERE fid = 2"), {}, "row.value", {"row": 2, "column": "d"}),
    "a moment in no calendar, GeoPackage": ("a.gpkg", lambda: odd.geopackage("SELECT TIMESTAMP '2024-03-05' AS t", "UPDATE 图 SET t = '2024-03-05T24:00:00Z'"), {}, "row.value", {"row": 1, "column": "t"}),
    "a text among numbers, GeoPackage": ("a.gpkg", lambda: odd.geopackage("SELECT 1 AS n", f"UPDATE 图 SET n = '{SECRET}'"), {}, "row.value", {"row": 1, "column": "n"}),
    "no geometry where it should be": ("a.gpkg", lambda: odd.geopackage("SELECT 1 AS n", f"UPDATE 图 SET geom = '{SECRET}'"), {}, "row.geometry", {"row": 1}),
    "a day in no calendar, shapefile": ("a.zip", lambda: odd.shapefile((("d", "D", 8),), [b" 20240305", b" 20240230"]), {}, "row.value", {"row": 2, "column": "d"}),
    "half a number, shapefile": ("a.zip", lambda: odd.shapefile((("n", "N", 4),), [b"   12", b"  1.5"]), {}, "row.value", {"row": 2, "column": "n"}),
    "fewer attributes than shapes": ("a.zip", lambda: odd.shapefile((("n", "N", 4),), [b"   12"], shapes=2), {}, "publish.damaged", {}),
    "an encoding nobody knows": ("a.dbf", lambda: odd.dbf(C, [b" 0028    12"]), {"recipe": Recipe(encoding="klingon")}, "publish.recipe", {}),
    "formulas nobody computed": ("a.xlsx", lambda: odd.book(("甲", [("a", "b"), (1, 2), (1, "=A2*2")])), {}, "row.formula", {"row": 3, "column": "b"}),
    "a header nobody computed": ("a.xlsx", lambda: odd.book(("甲", [("一张表",), ("a", "=A1"), (1, 2), (3, 4)])), {"tolerant": True}, "row.formula", {"row": 2, "column": 2}),
    "nothing but formulas nobody computed": ("a.xlsx", lambda: odd.book(("甲", [("a", "b"), ("=B2", "=A2"), ("=B3", "=A3")])), {}, "row.formula", {"row": 2, "column": "a"}),
    "a day that never was": ("a.xlsx", lambda: odd.book(("甲", [("n", "d"), (60, 60)]), formats={"B": "yyyy-mm-dd"}), {}, "row.value", {"row": 2, "column": "d"}),
    "a geometry that crosses itself": ("a.geojson", lambda: odd.collection((SQUARE, {"n": 1}), (BOWTIE, {"n": 2})), {}, "row.geometry", {"row": 2}),
    "coordinates of nowhere": ("a.geojson", lambda: odd.collection((odd.point(104, 30), {"n": 1}), (odd.point(30, 104), {"n": 2})), {}, "row.coordinates", {"row": 2}),
    "coordinates of nowhere, GeoPackage": ("a.gpkg", lambda: odd.drawn("GPKG", ".gpkg", "SELECT 1 AS n, ST_Point(104, 30) AS geom UNION ALL SELECT 2, ST_Point(30, 104)")["图.gpkg"], {}, "row.coordinates", {"row": 2}),
    "GeoJSON cut": ("a.geojson", lambda: odd.collection((SQUARE, {"n": 1}))[:-40], {}, "publish.damaged", {}),
    "a recipe that calls two columns the same": ("a.csv", b"no,x\n1,2\n", {"recipe": Recipe(columns=({"source": "no", "name": "x"}, {"source": "x", "name": "X"}))}, "publish.recipe", {}),
    "a recipe with a name that turns": ("a.csv", b"no\n1\n", {"recipe": Recipe(columns=({"source": "no", "name": "a\u202eb"},))}, "publish.recipe", {}),
    "a recipe for another file": ("a.csv", b"no\n1\n", {"recipe": Recipe(columns=({"source": "x", "name": "x"},))}, "publish.recipe", {}),
    "a header row that is not there": ("a.csv", b"no\n1\n", {"recipe": Recipe(header_rows=(9,))}, "publish.header", {"row": 9}),
    "nothing left": ("a.csv", b"no,v\n1\n", {"tolerant": True}, "publish.empty", {}),
}  # fmt: skip

# name: (file name, content, reading, first rows, codes of notes, reasons of rejection)
TAKEN: dict[str, tuple[str, Content, dict[str, Any], list[dict[str, Any]], set[str], dict[str, int]]] = {
    "mixed line ends": ("a.csv", b"no,v\r\n1,a\n2,b\r\n", {}, [{"no": 1, "v": "a"}, {"no": 2, "v": "b"}], set(), {}),
    "returns only": ("a.csv", b"no,v\r1,a\r2,b\r", {}, [{"no": 1, "v": "a"}, {"no": 2, "v": "b"}], set(), {}),
    "a line break in a cell": ("a.csv", b'no,v\n1,"a\nb"\n', {}, [{"no": 1, "v": "a\nb"}], set(), {}),
    "a cell of a megabyte": ("a.csv", b"no,v\n1," + b"x" * 1_000_000 + b"\n", {}, [{"no": 1, "v": "x" * 1_000_000}], set(), {}),
    "text named XLSX": ("a.xlsx", b"no,v\n1,a\n", {}, [{"no": 1, "v": "a"}], {"format.misnamed"}, {}),
    "a workbook named CSV": ("a.csv", lambda: odd.book(("甲", TWO)), {}, [{"no": 1, "name": "甲"}, {"no": 2, "name": "乙"}], {"format.misnamed"}, {}),
    "a number that a spreadsheet rounded": ("a.csv", b"id,x\n5.10104E+17,a\n12.5,b\n", {}, [{"id": 5.10104e17, "x": "a"}, {"id": 12.5, "x": "b"}], {"value.rounded"}, {}),
    "some identity numbers rounded": ("a.csv", b"id\n5.10104E+17\n510104199003071237\n", {}, [{"id": "5.10104E+17"}, {"id": "510104199003071237"}], {"value.rounded"}, {}),
    "measured values": ("a.csv", b"v\n5.1e+17\n6.022E+23\n1.5E+10\n", {}, [{"v": 5.1e17}, {"v": 6.022e23}, {"v": 1.5e10}], set(), {}),
    "values declared as measured": ("a.csv", b"v\n5.1E+17\n", {"recipe": Recipe(columns=({"source": "v", "name": "v", "type": "DOUBLE"},))}, [{"v": 5.1e17}], {"value.rounded"}, {}),
    "names we use ourselves": ("a.csv", b"V,n,c0,v0,k\n1,x,a,b,c\n2,x,a,b,d\n", {}, [{"V": n, "n": "x", "c0": "a", "v0": "b", "k": k} for n, k in ((1, "c"), (2, "d"))], set(), {}),
    "the engine's own name": ("a.csv", b"File_Row_Number,x\n7,a\n", {}, [{"File_Row_Number_": 7, "x": "a"}], {"header.reserved"}, {}),
    "UTF-16 without a mark": ("a.csv", "名称,地址\r\n武侯区,一环路\r\n锦江区,开上一\r\n".encode("utf-16-le"), {}, [{"名称": "武侯区", "地址": "一环路"}, {"名称": "锦江区", "地址": "开上一"}], {"csv.encoding"}, {}),
    "UTF-16 the other way round": ("a.csv", "no,name\n1,a\n".encode("utf-16-be"), {}, [{"no": 1, "name": "a"}], {"csv.encoding"}, {}),
    "names missing, tolerant": ("a.csv", b"no,,no\n1,2,3\n", {"tolerant": True}, [{"no": 1, "column_2": 2, "no_2": 3}], {"header.unnamed", "header.repeated"}, {}),
    "a real table of statistics": ("a.xlsx", lambda: odd.book(("表1", STATS), merged=["A1:D1", "B3:C3", "A3:A4", "D3:D4"]), {},
        [{"区县": "锦江区", "人口_男": 10, "人口_女": 11, "产值（亿元）": 1.5}, {"区县": "青羊区", "人口_男": 20, "人口_女": 21, "产值（亿元）": 2.5}],
        {"layout.above", "layout.unit", "layout.header", "workbook.merged"}, {"row.aside.note": 1, "row.aside.total": 2}),
    "a source below two columns": ("a.csv", "区,数\n甲,1\n总计,1\n数据来源：统计局,\n".encode(), {}, [{"区": "甲", "数": 1}], set(), {"row.aside.note": 1, "row.aside.total": 1}),
    "formulas that were computed": ("a.xlsx", lambda: odd.computed(odd.book(("甲", [("a", "b"), (1, "=A2*2")])), "2"), {}, [{"a": 1, "b": 2}], {"workbook.formulas"}, {}),
    "formulas that gave an empty text": ("a.xlsx", lambda: odd.computed(odd.book(("甲", [("a", "b"), (1, '=""')])), "", "str"), {}, [{"a": 1}], {"workbook.formulas"}, {}),
    "formulas nobody computed, tolerant": ("a.xlsx", lambda: odd.book(("甲", [("a", "b"), (1, "=A2*2"), (2, 3), (None, "=B2"), ("合计", "=SUM(B2:B3)")])), {"tolerant": True}, [{"a": 2, "b": 3}], {"workbook.formulas"}, {"row.formula": 2, "row.aside.total": 1}),
    "sums nobody computed": ("a.xlsx", lambda: odd.book(("甲", [("a", "b"), ("x", 1), ("合计", "=SUM(B2:B2)")])), {}, [{"a": "x", "b": 1}], set(), {"row.aside.total": 1}),
    "codes shown with zeros in front": ("a.xlsx", lambda: odd.book(("甲", [("code", "n"), (28, 1), (1001, 2), (None, 3)]), formats={"A": "000000"}), {}, [{"code": "000028", "n": 1}, {"code": "001001", "n": 2}, {"code": None, "n": 3}], set(), {}),
    "codes and what are none": ("a.xlsx", lambda: odd.book(("甲", [("code", "n"), (28, 1), (2.5, 2), (-3, 3)]), formats={"A": "0000"}), {}, [{"code": "0028"}, {"code": "2.5"}, {"code": "-3"}], set(), {}),
    "percentages": ("a.xlsx", lambda: odd.book(("甲", [("p", "q"), (0.125, 1), (1 / 3, 0.07), (1, 2), (-0.3, 0.1 + 0.2 - 0.3), (None, 3)]), formats={"A": "0.00%", "B": "0.0 %"}), {},
        [{"p": 12.5, "q": 100.0}, {"p": 33.33333333333333, "q": 7.0}, {"p": 100.0, "q": 200.0}, {"p": -30.0, "q": (0.1 + 0.2 - 0.3) * 100}, {"p": None, "q": 300.0}], {"value.spelling"}, {}),
    "percentages among numbers": ("a.xlsx", lambda: odd.zipped({"a.xlsx": odd.book(("甲", [("p",), (0.125,), ("0.5",)]), formats={"A": "0%"})}), {}, [{"p": "12.5%"}, {"p": "0.5"}], set(), {}),
    "a day that never was, tolerant": ("a.xlsx", lambda: odd.book(("甲", [("d", "n"), (60, 60), (61, 60), (1, 60)]), formats={"A": "yyyy-mm-dd"}), {"tolerant": True}, [{"d": date(1900, 3, 1), "n": 60}, {"d": date(1900, 1, 1), "n": 60}], set(), {"row.value": 1}),
    "hidden rows and columns": ("a.xlsx", lambda: odd.book(("甲", [("a", "b", "c"), (1, 2, 3), (4, 5, 6)]), hidden=["B", "3", "Z"]), {}, [{"a": 1, "b": 2, "c": 3}, {"a": 4, "b": 5, "c": 6}], {"workbook.hidden"}, {}),
    "a hidden sheet that was asked for": ("a.xlsx", lambda: odd.book(("甲", TWO), ("乙", TWO), hidden=["乙"]), {"sheet": "乙"}, [{"no": 1, "name": "甲"}, {"no": 2, "name": "乙"}], {"workbook.sheet", "workbook.hidden"}, {}),
    "cells that show an error": ("a.xlsx", lambda: odd.book(("甲", [("n", "v"), (1, 2), (2, "#N/A"), (3, "#DIV/0!")]), ("乙", [("x",), ("#REF!",)])), {"sheet": "甲"},
        [{"n": 1, "v": 2}, {"n": 2, "v": None}, {"n": 3, "v": None}], {"workbook.sheet", "workbook.errors"}, {}),
    "open cells that show an error": ("a.ods", lambda: books.ods(("甲", [("n", "v"), (1, 2), (2, books.ERROR)]), ("乙", [("x",), ("1",)])), {"sheet": "甲"},
        [{"n": 1, "v": 2}, {"n": 2, "v": None}], {"workbook.sheet", "workbook.errors", "workbook.formulas"}, {}),
    "old cells that show an error": ("a.xls", lambda: books.xls(("甲", [("n", "v"), (1, 2), (2, books.ERROR)]), ("乙", [("x",), (books.ERROR,)])), {"sheet": "甲"},
        [{"n": 1, "v": 2}, {"n": 2, "v": None}], {"workbook.sheet", "workbook.errors"}, {}),
    "an error in a sheet that is not read": ("a.ods", lambda: books.ods(("甲", [("n",), (1,)]), ("乙", [("x",), (books.ERROR,)])), {"sheet": "甲"},
        [{"n": 1}], {"workbook.sheet", "workbook.formulas"}, {}),
    "cells filled up with blanks": ("a.csv", "n,v,d,金额\n 1,12 ,2024-03-05 ,3.5万 \n 2,3  ,2024-03-06 , 2\n".encode(), {},
        [{"n": 1, "v": 12, "d": date(2024, 3, 5), "金额": 35000.0}, {"n": 2, "v": 3, "d": date(2024, 3, 6), "金额": 2.0}], {"value.spelling"}, {}),
    "digits in groups as they are printed": ("a.csv", "a,b,c\n1\u00a0234,12\u2009345.5,1\u202f000\n7,8,1 234\n".encode(), {},
        [{"a": 1234, "b": 12345.5, "c": "1\u202f000"}, {"a": 7, "b": 8.0, "c": "1 234"}], {"value.spelling"}, {}),
    "macros and links": ("a.xlsm", lambda: odd.zipped({"xl/vbaProject.bin": b"x", "xl/externalLinks/externalLink1.xml": b"<x/>"}, odd.book(("甲", TWO))), {},
        [{"no": 1, "name": "甲"}, {"no": 2, "name": "乙"}], {"workbook.macros", "workbook.links"}, {}),
    "a hidden sheet": ("a.xlsx", lambda: odd.book(("甲", TWO), ("乙", TWO), hidden=["乙"]), {}, [{"no": 1, "name": "甲"}, {"no": 2, "name": "乙"}], {"workbook.sheet", "workbook.hidden"}, {}),
    "a sheet by name": ("a.xlsx", lambda: odd.book(("甲", TWO), ("乙", [("x",), (1,)])), {"sheet": "乙"}, [{"x": 1}], {"workbook.sheet"}, {}),
    "cells of every kind": ("a.xlsx", lambda: odd.book(("甲", [("d", "t", "b", "f", "code", "id"), (date(2024, 3, 5), datetime(2024, 3, 5, 9, 5), True, 0.1, "0028", "510104199003071237")])), {},
        [{"d": date(2024, 3, 5), "t": datetime(2024, 3, 5, 9, 5), "b": True, "f": 0.1, "code": "0028", "id": "510104199003071237"}], set(), {}),
    "an old table of statistics": ("a.xls", lambda: books.xls(("表1", STATS), merged=MERGED_FROM_0), {}, STATS_ROWS, STATS_NOTES, STATS_ASIDE),
    "an open table of statistics": ("a.ods", lambda: books.ods(("表1", STATS), merged=MERGED_FROM_0), {}, STATS_ROWS, STATS_NOTES, STATS_ASIDE),
    "old cells of every kind": ("a.xls", lambda: books.xls(("甲", KINDS)), {}, [dict(zip(*KINDS, strict=True))], set(), {}),
    "days since 1904": ("a.xls", lambda: books.xls(("甲", KINDS), from_1904=True), {}, [dict(zip(*KINDS, strict=True))], set(), {}),
    "open cells of every kind": ("a.ods", lambda: books.ods(("甲", KINDS)), {}, [dict(zip(*KINDS, strict=True))], set(), {}),
    "a sheet of an old workbook": ("a.xls", lambda: books.xls(("甲", TWO), ("乙", [("x",), (1,)])), {"sheet": "乙"}, [{"x": 1}], {"workbook.sheet"}, {}),
    "a sheet of an open workbook": ("a.ods", lambda: books.ods(("甲", TWO), ("乙", [("x",), (1,)])), {"sheet": "乙"}, [{"x": 1}], {"workbook.sheet"}, {}),
    "OpenDocument": ("a.ods", lambda: books.ods(("甲", TWO)), {}, [{"no": 1, "name": "甲"}, {"no": 2, "name": "乙"}], set(), {}),
    "a table in an archive": ("a.zip", lambda: odd.zipped({"__MACOSX/._a.csv": b"\0", "数据/a.csv": b"no,v\n1,a\n", "readme.txt": b"hello"}), {}, [{"no": 1, "v": "a"}], {"zip.member"}, {}),
    "a workbook in an archive": ("a.zip", lambda: odd.zipped({"a.xlsx": odd.book(("甲", TWO))}), {}, [{"no": 1, "name": "甲"}, {"no": 2, "name": "乙"}], {"zip.member"}, {}),
    "nested JSON": ("a.json", b'[{"no": 12345678901234567, "a": {"b": "007", "c": [1, 2]}, "r": 0.1}, {"no": 2, "x": true}]', {},
        [{"no": "12345678901234567", "a.b": "007", "a.c": "[1, 2]", "r": 0.1, "x": None}, {"no": "2", "a.b": None, "a.c": None, "r": None, "x": True}], {"json.nested", "json.lists"}, {}),
    "JSON in an envelope": ("a.json", b'{"code": 0, "data": [{"a": 1}, {"a": 2}]}', {}, [{"a": 1}, {"a": 2}], {"json.wrapped"}, {}),
    "JSON in two envelopes": ("a.json", b'{"code": 200, "data": {"total": 2, "list": [{"a": 1}, {"a": 2}]}}', {}, [{"a": 1}, {"a": 2}], {"json.wrapped"}, {}),
    "JSON with two lists": ("a.json", b'{"data": {"list": [{"a": 1}], "heads": [{"b": 1}]}}', {}, [{"data.list": '[{"a": 1}]', "data.heads": '[{"b": 1}]'}], {"json.lists", "json.nested"}, {}),
    "JSON of which some records are wrong, tolerant": ("a.json", b'[{"a": NaN}, {"a": 1}, {"a": 2, "a": 3}, {"a": "\\ud800"}, {"a.b": 1, "a": {"b": 2}}, {"a": 5}]', {"tolerant": True},
        [{"a": 1}, {"a": 5}], set(), {"row.encoding": 1, "row.field": 1, "row.nan": 1, "row.repeated": 1}),
    "lines of which some are wrong, tolerant": ("a.ndjson", b'{"a": "\\ud800"}\n{"a": "x\\u4e00"}\n{"a": NaN}\n', {"tolerant": True}, [{"a": "x一"}], set(), {"row.encoding": 1, "row.nan": 1}),
    "features of which some are wrong, tolerant": ("a.geojson", b'{"type": "FeatureCollection", "features": [{"properties": {"a": NaN}, "geometry": null}, {"properties": {"a": "\\ud800"}, "geometry": null}, {"properties": {"a": "x"}, "geometry": null}]}', {"tolerant": True},
        [{"OGC_FID": 2, "a": "x"}], set(), {"row.encoding": 1, "row.nan": 1}),
    "JSON lines, tolerant": ("a.ndjson", b'{"a": 1}\n{"a": \n\n{"a": 3}\n[4]\n', {"tolerant": True}, [{"a": 1}, {"a": 3}], set(), {"row.json": 1, "row.object": 1}),
    "a text that looks like a number": ("a.json", b'[{"a": "12"}]', {}, [{"a": "12"}], set(), {}),
    "Parquet with every type": ("a.parquet", lambda: odd.parquet(pa.table({"s": [{"x": 1, "y": ["a"]}], "d": pa.array(["u"]).dictionary_encode(), "u": pa.array([2**64 - 1], pa.uint64())})), {},
        [{"s.x": 1, "s.y": '["a"]', "d": "u", "u": 2**64 - 1}], set(), {}),
    "times and durations to the nanosecond": ("a.parquet", lambda: odd.parquet(pa.table({"t": pa.array([7_384_123_456_789, 3_600 * 10**9], pa.time64("ns")), "d": pa.array([1, None], pa.duration("ns")), "list": pa.array([[1], None], pa.list_(pa.time64("ns")))})), {},
        [{"t": "02:03:04.123456789", "d": 1, "list": '["00:00:00.000000001"]'}, {"t": "01:00:00", "d": None, "list": None}], {"value.duration"}, {}),
    "times and durations of Arrow": ("a.arrow", lambda: odd.arrow(pa.table({"t": pa.array([3_723_500], pa.time32("ms")), "s": pa.array([61], pa.time32("s")), "d": pa.array([90], pa.duration("s"))})), {}, [{"t": "01:02:03.500000", "s": "00:01:01", "d": 90}], {"value.duration"}, {}),
    "a DBF cell that cannot be read": ("a.dbf", lambda: odd.dbf(C, [b" 0028    12", b" \xff\xff       2", b" 0029******"]), {"tolerant": True}, [{"no": "0028", "v": 12}], set(), {"row.value": 2}),
    "Arrow as a file": ("a.feather", lambda: odd.arrow(pa.table({"a": [1], "b": ["01"]})), {}, [{"a": 1, "b": "01"}], set(), {}),
    "Arrow as a stream": ("a.arrows", lambda: odd.arrow(pa.table({"a": [1], "b": ["01"]}), stream=True), {}, [{"a": 1, "b": "01"}], set(), {}),
    "SQLite": ("a.db", lambda: odd.sqlite("CREATE TABLE t (id INTEGER, code TEXT, r REAL, d DATE)", "INSERT INTO t VALUES (1, '007', 0.1, '2024-03-05')"), {},
        [{"id": 1, "code": "007", "r": 0.1, "d": date(2024, 3, 5)}], {"database.table"}, {}),
    "DBF in GBK": ("a.dbf", lambda: odd.dbf((("名", "C", 8), ("v", "N", 6), ("d", "D", 8), ("l", "L", 1)), ["武侯区  ".encode("gbk")[:8].join([b" ", b"  1.5020240305T"]), b"*" + b"x" * 8 + b"     1        ?"]), {},
        [{"名": "武侯区", "v": 1.5, "d": date(2024, 3, 5), "l": True}], set(), {"row.aside.deleted": 1}),
    "invalid geometry, tolerant": ("a.geojson", lambda: odd.collection((SQUARE, {"n": 1}), (BOWTIE, {"n": 2})), {"tolerant": True}, [{"n": 1}], {"geometry.crs"}, {"row.geometry": 1}),
    "a shapefile": ("a.zip", lambda: odd.zipped(odd.drawn("ESRI Shapefile", ".shp", "SELECT 7::INT AS n, '甲' AS name, ST_Point(104.06, 30.67) AS geom")), {}, [{"n": 7, "name": "甲"}], {"geometry.crs"}, {}),
    "a GeoPackage": ("a.gpkg", lambda: odd.drawn("GPKG", ".gpkg", "SELECT 7::INT AS n, ST_Point(104.06, 30.67) AS geom")["图.gpkg"], {}, [{"n": 7}], {"geometry.crs"}, {}),
    "what no GeoPackage may hold, tolerant": ("a.gpkg",
        lambda: odd.geopackage("SELECT unnest([1, 2, 3, 4, 5, 6, 7]) AS n, DATE '2024-03-05' AS d, TIMESTAMP '2024-03-05 09:05:01' AS t, true AS b, 0.5::FLOAT AS f, 'x' AS s",
            "UPDATE 图 SET d = '' WHERE n = 1", "UPDATE 图 SET t = 20240305 WHERE n = 2", "UPDATE 图 SET b = 2 WHERE n = 3", "UPDATE 图 SET f = 'x' WHERE n = 4", "UPDATE 图 SET s = x'fffe' WHERE n = 5", "UPDATE 图 SET n = 1.5 WHERE n = 6"),
        {"tolerant": True}, [{"fid": 7, "n": 7, "d": date(2024, 3, 5), "b": True, "f": 0.5, "s": "x"}], {"geometry.crs"}, {"row.value": 6}),
    "what GDAL would change in a GeoPackage": ("a.gpkg",
        lambda: odd.geopackage("SELECT 1::SMALLINT AS n, 0.5::FLOAT AS f, TIMESTAMP '2024-03-05' AS t, 'x' AS s, DATE '2024-03-05' AS d",
            "UPDATE 图 SET n = 40000, f = 0.1, t = '2024-03-05T09:05:01.123456+08:00', s = 'a' || char(0) || 'b', d = '2024/3/5'", "ALTER TABLE 图 ADD COLUMN more DECIMAL(9,2)", "UPDATE 图 SET more = 1.25"),
        {}, [{"n": 40000, "f": 0.1, "t": datetime(2024, 3, 5, 1, 5, 1, 123456, UTC), "s": "a\0b", "d": date(2024, 3, 5), "more": 1.25}], set(), {}),
    "a view in a GeoPackage": ("a.gpkg",
        lambda: odd.geopackage("SELECT unnest([7, 8]) AS n", "CREATE VIEW v AS SELECT n, geom FROM 图", "INSERT INTO gpkg_contents (table_name, identifier, data_type) VALUES ('v', 'v', 'features')", "INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'GEOMETRY', 4490, 0, 0)"),
        {"sheet": "v"}, [{"OGC_FID": 0, "n": 7}, {"OGC_FID": 1, "n": 8}], {"geometry.layer"}, {}),
    "a shapefile in GBK that says so nowhere": ("a.zip", lambda: odd.shapefile((("名称", "C", 12),), [b" " + "武侯区".encode("gbk").ljust(12)], page=0), {}, [{"OGC_FID": 0, "名称": "武侯区"}], {"geometry.crs"}, {}),
    "a shapefile that names its encoding": ("a.zip", lambda: odd.shapefile((("name", "C", 12),), [b" " + "臺北".encode("big5").ljust(12)], page=0, cpg=b"950"), {}, [{"name": "臺北"}], set(), {}),
    "a shapefile of gaps": ("a.zip", lambda: odd.shapefile((("d", "D", 8), ("n", "N", 4), ("big", "N", 20), ("l", "L", 1), ("geom", "C", 1)), [b" " + b" " * 34, b"*" + b"x" * 34, b" 00000000****" + b"*" * 20 + b"?x", b" 20240305  12   12345678901234567Ty"]), {},
        [{"OGC_FID": 0, "d": None, "n": None, "big": None, "l": None, "geom": None}, {"OGC_FID": 2, "d": None, "n": None, "big": None, "l": None, "geom": "x"},
         {"OGC_FID": 3, "d": date(2024, 3, 5), "n": 12, "big": "12345678901234567", "l": True, "geom": "y"}], set(), {"row.aside.deleted": 1}),
    "a shapefile without attributes": ("a.zip", lambda: odd.zipped({name: file for name, file in odd.drawn("ESRI Shapefile", ".shp", "SELECT 1 AS n, ST_Point(1, 2) AS geom").items() if not name.endswith(".dbf")}), {}, [{"OGC_FID": 0}], set(), {}),
    "GeoJSON as it is written": ("a.geojson", lambda: odd.collection((SQUARE, {"n": 12345678901234567890, "at": "12:30", "list": [2**70], "geom": "own"}), (None, {"n": 1})), {},
        [{"OGC_FID": 0, "n": "12345678901234567890", "at": "12:30", "list": f"[{2**70}]", "geom": "own"}, {"OGC_FID": 1, "n": "1", "at": None, "list": None, "geom": None}], {"geometry.crs", "json.lists"}, {}),
    "features that name themselves": ("a.geojson", b'{"features": [{"id": "a1", "properties": null, "geometry": null}, {"id": 7, "properties": {"v": 0.5}}, 8], "type": "FeatureCollection"}', {"tolerant": True},
        [{"OGC_FID": None, "id": "a1", "v": None, "geom": None}, {"OGC_FID": 7, "id": None, "v": 0.5, "geom": None}], {"geometry.unnumbered"}, {"row.object": 1}),
    "coordinates of nowhere, tolerant": ("a.geojson", lambda: odd.collection((odd.point(104, 30), {"n": 1}), (odd.point(30, 104), {"n": 2}), (odd.point(200, 10), {"n": 3}), (None, {"n": 4}), (BOWTIE, {"n": 5})), {"tolerant": True},
        [{"OGC_FID": 0, "n": 1}, {"OGC_FID": 3, "n": 4}], set(), {"row.coordinates": 2, "row.geometry": 1}),
    "coordinates in metres": ("a.geojson", lambda: odd.collection((odd.point(412_345, 3_384_567), {"n": 1})), {"recipe": Recipe(crs="EPSG:4523")}, [{"n": 1}], {"geometry.crs"}, {}),
    "shifted coordinates": ("a.geojson", lambda: odd.collection((odd.point(104.0665, 30.5723), {"n": 1})), {"recipe": Recipe(moved_from="GCJ-02")}, [{"n": 1}], {"geometry.moved"}, {}),
}  # fmt: skip


def made(content: Content, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(content() if callable(content) else content)
    return path


def test_the_corpus_is_large() -> None:
    assert len(REFUSED) + len(TAKEN) >= 80


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, store: DuckDBStore, tmp_path: Path) -> None:
    file, content, reading, code, where = REFUSED[name]
    with pytest.raises(ShuduError) as caught:
        store.land(made(content, file, tmp_path), PLACE, Reading(**reading), key=None)
    error = caught.value
    assert error.code == code
    assert {key: value for key, value in error.where.items() if key not in ("kind", "of")} == where
    assert error.remedy is not None
    assert error.message.zh != error.message.en
    assert SECRET not in f"{error.message} {error.message.zh} {error.remedy} {error.where}"
    assert not (store.home / PLACE.folder).exists()
    assert not list((store.home / "lake" / ".staging").glob("*"))


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str, store: DuckDBStore, tmp_path: Path) -> None:
    file, content, reading, rows, notes, reasons = TAKEN[name]
    observed = replace(store, observers=queries.store().observers)  # whatever the columns are called
    stored = observed.land(made(content, file, tmp_path), PLACE, Reading(**reading), key=None)
    report = Report(**stored.report)
    found = pq.read_table(store.home / stored.files[0].path).to_pylist()
    assert [{key: row[key] for key in rows[0]} for row in found] == rows
    assert notes <= {note.code for note in report.notes}
    assert report.reasons == reasons
    assert report.rows_in == report.rows_out + report.rejected == len(rows) + sum(reasons.values())
    assert all(note.zh != note.en for note in report.notes)


_CELL = st.text(st.sampled_from("一上开最，。、（）区路号街成都市武侯锦江青羊金牛0123456789abc XYZ-𠮷é"), max_size=9)


@settings(deadline=None)
@given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=9), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf_16_is_never_taken_for_the_other_order(rows: list[tuple[str, str]], order: str) -> None:
    """What is text in another encoding is not taken for it either, should it hold a NUL."""
    text = "".join(f"{a},{b}\r\n" for a, b in [("名称", "地址"), *rows])
    assert encoding_of(text.encode(order)) == order
    for other in ("utf-8", "gb18030"):
        assert not encoding_of(text.encode(other)).startswith("utf-16")
        assert not encoding_of(text.encode(other) + b"\0\r\n").startswith("utf-16")


def test_a_preview_says_the_same_of_wrong_values(
    store: DuckDBStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "begun", in_process.begun)
    for name, (file, content, reading, _, _, reasons) in TAKEN.items():
        if not {"row.value", "row.formula", "row.coordinates"} & set(reasons):
            continue
        seen = store.preview(made(content, file, tmp_path), Reading(**reading | {"tolerant": True}))
        counted: Counter[str] = Counter()
        for each in seen.aside:
            counted[each.code] += each.rows
            assert each.column or each.code not in ("row.value", "row.formula"), name
        assert counted == reasons, name
