"""Runs inside the sandbox before the first job: tries what a model must not do, and prints how each attempt ended.

Standalone, standard library only; `bubblewrap.py` holds the answers it expects. Its model is the path of a host file.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


def _try(act: Callable[[], Any]) -> str:
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))
    return "done"


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _open_descriptors() -> list[int]:
    return [fd for fd in range(64) if _try(lambda fd=fd: os.fstat(fd)) == "done"]  # type: ignore[misc]


def _capabilities() -> int:
    """Effective, permitted and inheritable sets of this process, or-ed; 0 when it has none."""
    header, data = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0)), ctypes.create_string_buffer(24)
    _call("capget", header, data)
    found: tuple[int, ...] = struct.unpack("=6I", data.raw)
    return max(found)


def _executable_memory() -> None:
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        pass


def _program() -> None:
    os.execv(sys.executable, [sys.executable, "-c", ""])


def main(seal: Callable[[], None]) -> None:
    told = sys.stdin.buffer
    job = json.loads(told.read(int.from_bytes(told.read(8), "little")))
    host_file = told.read(job["model"])
    limits = ("AS", "CORE", "CPU", "FSIZE", "NOFILE", "NPROC")
    report = {
        "landlock": _libc.syscall(444, None, ctypes.c_size_t(0), 1),
        # The first filter must let programs be started, and memory be made executable; Landlock forbids the one.
        "program": _try(_program),
        "executable_memory": _try(_executable_memory),
        "capabilities": _capabilities(),
        "descriptors": _open_descriptors(),
        "environment": sorted(os.environ),
        "fork": _try(_fork),
        "host_file": _try(lambda: open(host_file, "rb").close()),
        "hostname": os.uname().nodename,
        "limits": {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in limits},
        "mount": _try(lambda: _call("mount", b"none", b"/in", b"tmpfs", 0, None)),
        "no_new_privs": _libc.prctl(39, 0, 0, 0, 0),
        "pids": [os.getppid(), os.getpid()],
        "proc": _try(lambda: os.listdir("/proc")),
        "ptrace": _try(lambda: _call("ptrace", 0, 0, None, None)),
        "root": sorted(os.listdir("/")),
        "seccomp": _libc.prctl(21, 0, 0, 0, 0),
        "tcp": _try(lambda: socket.socket(socket.AF_INET).close()),
        "udp": _try(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()),
        "uid": [os.getuid(), os.getgid()],
        "unix": _try(lambda: socket.socket(socket.AF_UNIX).close()),
        "unshare": _try(lambda: _call("unshare", 0x10000000)),
        "write_data": _try(lambda: os.close(os.open("/in/data", os.O_WRONLY))),
        "write_root": _try(lambda: os.close(os.open("/canary", os.O_WRONLY | os.O_CREAT, 0o600))),
    }
    seal()
    report |= {
        "sealed_executable_memory": _try(_executable_memory),
        "sealed_filter": _try(lambda: _call("prctl", 22, 2, None, 0, 0)),
        "sealed_landlock": _try(lambda: _call("syscall", 444, None, ctypes.c_size_t(0), 1)),
        "sealed_program": _try(_program),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(globals()["seal"])
