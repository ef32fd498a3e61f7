"""The process in which a hostile file is read: `python -I -m shudu.lake.readers CONTROL`, the request on stdin.

It binds itself before it opens the file: memory, processor time, size of what it writes, number of open files. What it
has to say goes to the descriptor CONTROL as lines of JSON (first what was understood, last what is known in the end);
rows go to stdout as one Arrow stream. An error that is no message of ours is told by its kind alone: its text may quote
the file.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any


class _NoPandas(MetaPathFinder):
    """Where pandas happens to be installed, pyarrow would import it for nothing, which takes a second."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


sys.meta_path.insert(0, _NoPandas())


def main() -> None:
    told = json.loads(sys.stdin.buffer.readline())
    for name, limit in told["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    control = int(sys.argv[1])

    def say(**words: Any) -> None:
        data = json.dumps(words, ensure_ascii=False).encode() + b"\n"
        while data:
            data = data[os.write(control, data) :]

    from shudu.policy.types import ShuduError

    from .port import as_json

    try:
        _read(told, say)
    except ShuduError as error:
        say(error=as_json(error))
    except MemoryError:
        say(failed="memory")
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:
        say(failed=_kind(error))
    os._exit(0)


def _kind(error: Exception) -> str:
    words = str(error).lower()
    if "bad_alloc" in words or "out of memory" in words or "malloc" in words or "realloc" in words:
        return "memory"
    if isinstance(error, OSError) and error.errno in (27, 28, 122):
        return "space"
    return type(error).__name__


def _read(told: dict[str, Any], say: Any) -> None:
    import pyarrow as pa

    from ..recipe import Reading
    from . import choice
    from .port import Request, schema

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    request = Request(
        Path(told["path"]), told["name"], told["format"], Reading(**told["reading"]), Path(told["work"]), told["limit"]
    )
    reader, earlier = choice.open_reader(request)
    recipe, notes = reader.understand()
    say(recipe=recipe.model_dump(mode="json"), notes=[note.model_dump(mode="json") for note in (*earlier, *notes)])
    with os.fdopen(1, "wb") as out, pa.ipc.new_stream(out, schema(reader.types)) as stream:
        for batch in reader.batches():
            stream.write_batch(batch)
    finish = reader.finish()
    say(notes=[note.model_dump(mode="json") for note in finish.notes], texts=list(finish.texts))


if __name__ == "__main__":
    main()
