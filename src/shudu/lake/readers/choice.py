"""Which reader takes a file: by its content. Each reader is imported only when it is needed."""

from __future__ import annotations

import zipfile
from dataclasses import replace

from ..recipe import Note
from .port import Reader, Request


def open_reader(request: Request) -> tuple[Reader, tuple[Note, ...]]:
    """The reader of this file, and what is worth saying before it begins."""
    if request.format != "zip":
        return _reader(request), ()
    from . import archive, workbook

    kind = workbook.kind_of(request.path)
    if kind != "zip":
        from ..formats import misnamed

        wrong = misnamed(request.name, kind)
        return _reader(replace(request, format=kind)), (wrong,) if wrong else ()
    try:
        inner, notes = archive.member(request)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
        raise workbook.damaged_archive() from None
    return _reader(inner), notes


def _reader(request: Request) -> Reader:
    match request.format:
        case "xlsx" | "xls" | "ods":
            from .workbook import open_reader as open_workbook

            return open_workbook(request)
        case "json" | "ndjson":
            from .records import Records

            return Records(request)
        case "parquet" | "arrow":
            from .columnar import open_reader as open_columnar

            return open_columnar(request)
        case "sqlite":
            from .database import Table

            return Table(request)
        case "dbf":
            from .dbf import Dbf

            return Dbf(request)
        case "geojson" | "gpkg" | "shapefile":
            from .shapes import open_reader as open_shapes

            return open_shapes(request)
        case _:
            from .delimited import open_reader as open_delimited

            return open_delimited(request)
