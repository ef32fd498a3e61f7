"""A private DuckDB for one piece of work: nothing fetched, memory bounded, spills in our folder and as safe as it."""

from __future__ import annotations

import base64
import errno
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from shudu.policy.types import Conflict, ShuduError, Text, Unavailable

from .coltypes import literal

MEMORY = "512MB"
LEAN = "384MB"  # a copy given less waits for its own batches where the processor is busy, at twice the cost
LEANEST = "256MB"
THREADS = 2
KEY_NAME = "shudu"
T = TypeVar("T")
_NO_SPACE = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_NO_SPACE_WORDS = ("No space left on device", "File too large", "Disk quota exceeded", "max_temp_directory_size")


@contextmanager
def connect(spill: Path | None = None, *, secret: bytes | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory that may spill into `spill` (nowhere without it); `secret` (32 bytes) opens Parquet."""
    settings: dict[str, str | int | bool] = {
        "memory_limit": MEMORY,
        "threads": THREADS,
        "temp_directory": "" if spill is None else str(spill),
        # What is not encrypted at rest need not be here, and without httpfs a spill would fail.
        "temp_file_encryption": secret is not None,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config={name: _plain(value) for name, value in settings.items()})
    try:
        # Counted, for `progress.following`, and never drawn.
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        if secret is not None:
            unlock(connection, KEY_NAME, secret)
        yield connection
    finally:
        connection.close()


def leanly(connection: duckdb.DuckDBPyConnection, memory: str, work: Callable[[], T]) -> T:
    """Do it in less memory: the engine fills what it is given, however little would do. What does need more is done
    again with all there is."""
    connection.execute(f"SET memory_limit = '{memory}'")
    try:
        return work()
    except duckdb.OutOfMemoryException:
        pass
    finally:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
    return work()


def unlock(connection: duckdb.DuckDBPyConnection, name: str, secret: bytes) -> None:
    """Let the connection read and write Parquet encrypted under `secret` (32 bytes), which SQL then calls `name`."""
    # Without httpfs the engine can read encrypted Parquet but not write it.
    connection.execute(f"LOAD {literal(str(extension('httpfs')))}")
    connection.execute(f"PRAGMA add_parquet_key('{name}', '{base64.b64encode(secret).decode()}')")


def _plain(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def extension(name: str) -> Path:
    """Where the installed wheel of a DuckDB extension keeps its file. Raises Unavailable when it is not installed."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.is_file():
            return path
    raise Unavailable(
        "lake.extension",
        Text(
            f"本机缺少 DuckDB {duckdb.__version__} 的扩展 {name}。",
            f"DuckDB {duckdb.__version__} lacks its extension {name}.",
        ),
        Text("请运行 make setup 重新安装依赖。", "Run `make setup` to install the dependencies again."),
    )


def parquet(
    paths: Sequence[Path],
    *,
    encrypted: bool,
    options: str = "",
    key: str = KEY_NAME,
    fields: Sequence[tuple[int, str, str]] | None = None,
) -> str:
    """A table function that reads these files in this order; `key` names the key that `unlock` was given.

    With `fields` (field id, name, type) columns are found by their ids, whatever a file calls them; what a file lacks
    is NULL, and what it holds more is left out.
    """
    if fields:
        each = (
            f"{number}: {{name: {literal(name)}, type: {literal(type_)}, default_value: NULL}}"
            for number, name, type_ in fields
        )
        options += f", schema = MAP {{{', '.join(each)}}}"
    secret = f", encryption_config = {{footer_key: '{key}'}}" if encrypted else ""
    return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}]{secret}{options})"


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The only row of an answer."""
    row = connection.execute(sql).fetchone()
    if row is None:
        raise RuntimeError("an aggregate gives one row")
    return row


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the machine says into words. The engine's messages quote rows, so none is ever passed on."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise no_space() from None
        raise Unavailable(
            "lake.storage",
            Text("无法读写存储目录。", "The storage folder cannot be read or written."),
            Text("请检查存储目录的权限与磁盘状态。", "Check the folder's permissions and the disk."),
            {"errno": errno.errorcode.get(error.errno or 0, "")},
        ) from None
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise in_words(error) from None
    except RuntimeError as error:
        # What the engine makes of a ^C that comes while it works.
        if "interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from None


def no_space() -> Unavailable:
    return Unavailable(
        "lake.space",
        Text("存储空间不足，什么也没有写入。", "There is not enough storage; nothing was written."),
        Text("请清理磁盘空间或调整配额后再试。", "Free some space or raise the quota, then try again."),
    )


def in_words(error: duckdb.Error) -> ShuduError:
    """What went wrong in the machine, without the engine's own words. Raises RuntimeError when it is SQL of ours."""
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
        raise RuntimeError(f"the engine does not take our SQL: {type(error).__name__}") from None
    said = str(error)
    if any(words in said for words in _NO_SPACE_WORDS):
        return no_space()
    if isinstance(error, duckdb.OutOfMemoryException):
        return Unavailable(
            "lake.memory",
            Text(
                f"内存不足：这个表的单行过大或列数过多（上限 {MEMORY}）。",
                f"The table's rows are too large for {MEMORY} of memory.",
            ),
            Text("请分成几个表发布。", "Publish it as several tables."),
        )
    if "AES tag" in said or "is encrypted" in said:
        return Conflict(
            "lake.key",
            Text("数据密钥与这个文件不符，无法解密。", "The data key does not open this file."),
            Text("请从密钥备份中恢复正确的密钥。", "Restore the right key from the backup of the keys."),
        )
    return Conflict(
        "lake.damaged",
        Text("存储的文件无法读取或写入。", "A stored file could not be read or written."),
        Text("请检查磁盘，并从备份恢复。", "Check the disk and restore the file from a backup."),
    )
