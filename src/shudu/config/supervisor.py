"""Web and worker under one roof: started together, restarted when they fall, ended together.

Each child leads a session of its own, so that everything it started can be ended with it: a killed granian leaves its
worker holding the port. The kernel tells children when the supervisor dies (PDEATHSIG) and hands it their orphans
(subreaper).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

HOST = "127.0.0.1"
PATIENCE = 10.0  # seconds a child has to end by itself
HEAD_START = 2.0  # seconds at most that the pages start before the worker
LONGEST_PAUSE = 30.0  # seconds between restarts of a child that keeps falling
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def web(port: int) -> list[str]:
    """The command that serves the pages: one process, threads for requests, on this machine's own address."""
    options = ["--interface", "wsgi", "--host", HOST, "--port", str(port), "--blocking-threads", "4", "--no-ws"]
    return [sys.executable, "-m", "granian", *options, "--log-level", "warning", "shudu.config.wsgi:application"]


def claim(port: int) -> None:
    """Raise SystemExit, in words, when the port cannot be had. Waits a moment for one that is just being left."""
    for _ in range(20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                return probe.bind((HOST, port))
            except PermissionError:
                raise SystemExit(
                    f"没有权限使用端口 {port}，请用 SHUDU_PORT 换一个 1024 以上的。\n"
                    f"Port {port} is not open to this user: choose one above 1024 with SHUDU_PORT."
                ) from None
            except OverflowError:
                raise SystemExit(f"端口 {port} 不在 0 至 65535 之间 / port {port} is not within 0 to 65535") from None
            except OSError:
                time.sleep(0.1)
    raise SystemExit(
        f"端口 {port} 已被占用，请用 SHUDU_PORT 换一个，或停下占用它的程序。\n"
        f"Port {port} is taken: choose another with SHUDU_PORT, or stop the program that holds it."
    )


class _Child:
    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name, self.command, self.falls, self.due = name, command, 0, 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self.born = 0.0

    def start(self) -> None:
        parent = os.getpid()

        def tie() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died before we could ask to be told
                os._exit(1)

        self.process = subprocess.Popen(self.command, start_new_session=True, preexec_fn=tie)
        self.born = time.monotonic()

    def kill(self) -> None:
        """End it and everything it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def look_after(self) -> None:
        """Start it when it is due; when it has fallen, end what it left and set the next start."""
        if self.process is None:
            if time.monotonic() >= self.due:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.kill()
        self.process = None
        self.falls = 0 if time.monotonic() - self.born > LONGEST_PAUSE else self.falls + 1
        pause = min(0.1 * 2**self.falls, LONGEST_PAUSE)
        self.due = time.monotonic() + pause
        print(f"{self.name}: exit {code}; restart in {pause:.1f} s", file=sys.stderr, flush=True)


def supervise(
    commands: Mapping[str, Sequence[str]], *, port: int | None = None, ready: Callable[[], None] | None = None
) -> int:
    """Keep every command running until SIGTERM or SIGINT; returns 0 when all have ended by then.

    With `port`, refuses a taken one before starting anything (SystemExit) and calls `ready` once it answers; the first
    command is the one that serves it, and for a moment has the processor to itself.
    """
    if port is not None:
        claim(port)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    stopping: list[int] = []
    previous = {number: signal.signal(number, lambda number, _: stopping.append(number)) for number in _STOP}
    children = [_Child(name, command) for name, command in commands.items()]
    if port is not None:
        for child in children[1:]:
            child.due = time.monotonic() + HEAD_START
    try:
        while not stopping:
            for child in children:
                child.look_after()
            _reap(children)
            if ready is not None and (port is None or _answers(port)):
                ready()
                ready = None
                for child in children:
                    child.due = 0.0 if child.process is None and not child.falls else child.due
            time.sleep(0.1)
        return _end(children)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


_STOP = (signal.SIGTERM, signal.SIGINT)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _reap(children: list[_Child]) -> None:
    """Bury orphans handed to us, and leave our own children to `Popen.poll`."""
    own = {child.process.pid for child in children if child.process}
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and dead.si_pid not in own:
            os.waitpid(dead.si_pid, 0)


def _end(children: list[_Child]) -> int:
    """Ask each child to end; after `PATIENCE` end it with everything it started. 0 when none had to be forced."""
    for child in children:
        if child.process is not None:
            child.process.terminate()
    deadline = time.monotonic() + PATIENCE
    forced = 0
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            forced = 1
        child.kill()
        child.process.wait()
    return forced
