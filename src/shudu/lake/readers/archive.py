"""ZIP archives: one table, or one of several that is chosen. What would leave the folder or burst it is refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from shudu.policy.types import Invalid, Text

from ..formats import HEAD_BYTES, misnamed, recognise
from ..recipe import Note
from .port import Request, choices

MOST_FILES = 10_000
MOST_BYTES = 4 << 30
MOST_RATIO = 200  # a spreadsheet compresses by 10 to 60, a bomb by 1,000
RATIO_FROM = 64 << 20  # bytes below which no ratio harms anybody
_SHAPEFILE = {".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj", ".sbn", ".sbx"}


def check_sizes(archive: zipfile.ZipFile) -> None:
    """Raise Invalid for an archive that holds or unpacks to too much, or is encrypted."""
    infos = archive.infolist()
    unpacked, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if len(infos) > MOST_FILES or unpacked > MOST_BYTES or unpacked > max(RATIO_FROM, MOST_RATIO * packed):
        raise Invalid(
            "publish.bomb",
            Text(
                f"压缩内容过多：{len(infos):,} 个文件，解开后 {unpacked >> 20:,} MB。",
                f"It holds too much: {len(infos):,} files, {unpacked >> 20:,} MB when unpacked.",
            ),
            Text("请只打包需要发布的表，或直接发布该文件。", "Pack the table alone, or publish that file itself."),
        )
    if any(info.flag_bits & 1 for info in infos):
        raise _archive_error("publish.password", "压缩包有密码保护。", "The archive is protected by a password.")


def member(request: Request) -> tuple[Request, tuple[Note, ...]]:
    """The one file to read of an archive, unpacked into the work folder. Raises Invalid for a hostile archive."""
    with zipfile.ZipFile(request.path) as archive:
        check_sizes(archive)
        infos = [info for info in archive.infolist() if not info.is_dir()]
        for info in infos:
            _check_name(info)
        # What file systems leave behind is no content.
        infos = [info for info in infos if not _is_litter(info.filename)]
        shapes = [info for info in infos if info.filename.lower().endswith(".shp")]
        alone = [info for info in infos if PurePosixPath(info.filename).suffix.lower() not in _SHAPEFILE]
        tables = [info for info in alone if not _is_text(info.filename)] or alone
        candidates = shapes + tables or infos
        chosen = _choose(candidates, request)
        if chosen in shapes:
            return _shapefile(archive, chosen, infos, request)
        target = request.work / f"member{PurePosixPath(chosen.filename).suffix[:10]}"
        _unpack(archive, chosen, target)
    with target.open("rb") as file:
        format_ = recognise(file.read(HEAD_BYTES))
    if format_ == "zip":
        from .workbook import kind_of

        format_ = kind_of(target)
        if format_ == "zip":
            raise _archive_error("publish.nested", "压缩包里还有压缩包。", "There is an archive inside the archive.")
    name = PurePosixPath(chosen.filename).name
    said = Text(f"读取压缩包中的“{name[:100]}”。", f"The file “{name[:100]}” in the archive was read.")
    notes = [Note.of("zip.member", said, choices=choices([info.filename for info in candidates]))]
    if wrong := misnamed(name, format_):
        notes.append(wrong)
    recipe = request.reading.recipe.model_copy(update={"member": chosen.filename})
    reading = request.reading.model_copy(update={"recipe": recipe})
    return Request(target, name, format_, reading, request.work, request.limit), tuple(notes)


def _choose(infos: list[zipfile.ZipInfo], request: Request) -> zipfile.ZipInfo:
    asked = request.reading.recipe.member or request.reading.table
    if asked:
        for info in infos:
            if asked in (info.filename, PurePosixPath(info.filename).name):
                return info
    if len(infos) == 1:
        return infos[0]
    if not infos:
        raise _archive_error("publish.empty", "压缩包里没有文件。", "The archive holds no file.")
    from .workbook import choose

    names = [info.filename for info in infos]
    zh, en = f"压缩包里有 {len(infos)} 个文件，请选一个。", f"The archive holds {len(infos)} files: choose one."
    raise choose("文件", "file", names, zh, en)


def _check_name(info: zipfile.ZipInfo) -> None:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise _archive_error(
            "publish.traversal", "压缩包里有指向别处的路径。", "A path in the archive points outside of it."
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _archive_error("publish.traversal", "压缩包里有符号链接。", "The archive holds a symbolic link.")


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part == "__MACOSX" or part in (".DS_Store", "Thumbs.db", "desktop.ini") for part in parts)


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in (".txt", ".md", ".pdf", ".xml", ".doc", ".docx", ".html")


def _shapefile(
    archive: zipfile.ZipFile, shape: zipfile.ZipInfo, infos: list[zipfile.ZipInfo], request: Request
) -> tuple[Request, tuple[Note, ...]]:
    stem = PurePosixPath(shape.filename).with_suffix("")
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.with_suffix("") == stem and path.suffix.lower() in _SHAPEFILE:
            _unpack(archive, info, request.work / f"shape{path.suffix.lower()}")
    recipe = request.reading.recipe.model_copy(update={"member": shape.filename})
    reading = request.reading.model_copy(update={"recipe": recipe})
    target = request.work / "shape.shp"
    return Request(target, request.name, "shapefile", reading, request.work, request.limit), ()


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Unpack one file, no longer than it says: a header may lie."""
    left = info.file_size
    with archive.open(info) as source, target.open("wb") as sink:
        while chunk := source.read(1 << 20):
            left -= len(chunk)
            if left < 0:
                raise _archive_error("publish.bomb", "压缩包与其目录不符。", "The archive belies its directory.")
            sink.write(chunk)


def _archive_error(code: str, zh: str, en: str) -> Invalid:
    return Invalid(
        code,
        Text(zh, en),
        Text("请只打包需要发布的表，或直接发布该文件。", "Pack the table alone, or publish that file itself."),
    )
