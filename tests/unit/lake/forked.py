"""Runs a function in a forked child, so that it may be killed or starved without harm to the tests."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from typing import Any

CHANGES = ("fsync", "mkdir", "rename", "replace", "rmdir", "unlink", "utime")


def run(work: Callable[[], Any], before: Callable[[], None] = lambda: None) -> tuple[int, Any]:
    """Call `work` in a child after `before`; returns the signal that ended it (0 for none) and what it returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            before()
            result = work()
            os.write(writer, pickle.dumps(result))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), None
    assert os.WEXITSTATUS(status) == 0, "the child raised"
    return 0, pickle.loads(answer)


def killed_at(point: int) -> Callable[[], None]:
    """Let the process kill itself before (even points) or after (odd points) its n-th change to the file system."""
    seen = 0

    def patch(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            for half in (0, 1):
                if seen + half == point:
                    if half:
                        real(*args, **kwargs)
                    os.kill(os.getpid(), signal.SIGKILL)
            seen += 2
            return real(*args, **kwargs)

        setattr(os, name, call)

    def install() -> None:
        for name in CHANGES:
            patch(name)

    return install
