"""Runs in the sandbox in the worker's place: tries to get out in every way it knows and prints how each attempt ended.

The model is JSON that tells it where things are, {"home", "unix", "abstract", "tcp", "udp", "calls": {name: number}},
and with "sealed" whether to try behind the second filter, where a model is, or before it, where only our imports are.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
job = json.loads(sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(8), "little")))
told = json.loads(sys.stdin.buffer.read(job["model"]))
python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
ended: dict[str, str] = {}
if told["sealed"]:
    globals()["seal"]()


def attempt(name: str, act: Callable[[], Any]) -> None:
    try:
        act()
        ended[name] = "done"
    except OSError as error:
        ended[name] = errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        ended[name] = type(error).__name__


def system_call(number: int, *arguments: Any) -> None:
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def mapped_as_code(path: str) -> None:
    with open(path, "rb") as file:
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)


def talk(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as one:
        one.connect(address)
        one.send(b"secret")


loopback = "127.0.0.1"
attempt("tcp loopback", lambda: talk(socket.AF_INET, socket.SOCK_STREAM, (loopback, told["tcp"])))
attempt("tcp out", lambda: talk(socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)))
attempt("tcp 6", lambda: talk(socket.AF_INET6, socket.SOCK_STREAM, ("::1", told["tcp"])))
attempt("udp", lambda: talk(socket.AF_INET, socket.SOCK_DGRAM, (loopback, told["udp"])))
attempt("unix path", lambda: talk(socket.AF_UNIX, socket.SOCK_STREAM, told["unix"]))
attempt("unix abstract", lambda: talk(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + told["abstract"]))
attempt("socket pair", lambda: socket.socketpair())
attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(socket.AF_VSOCK))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))

for path in (told["home"], "/etc/shadow", "/etc/passwd", "/root", "/home", "/run", "/tmp", "/dev/null", "/sys"):
    attempt("open " + path, lambda path=path: os.open(path, os.O_RDONLY))
for path in ("/proc/1/environ", "/proc/self/mem", "/proc/self/mountinfo", "/proc/1/root"):
    attempt("open " + path, lambda path=path: os.open(path, os.O_RDONLY))
attempt("climb", lambda: os.open("../../../.." + told["home"], os.O_RDONLY))

for path in (
    "/in/data",
    "/in/evaluator.py",
    "/in/worker.py",
    "/in/walls.py",
    "/in/rows/data",
    "/site/numpy/__init__.py",
    f"/py/bin/{python}",
):
    attempt("write " + path, lambda path=path: os.open(path, os.O_WRONLY))
for folder in ("/", "/in", "/in/rows", "/py/lib", "/site", "/usr", f"/py/lib/{python}/site-packages"):
    attempt("create in " + folder, lambda folder=folder: os.open(folder + "/x", os.O_WRONLY | os.O_CREAT, 0o600))
attempt("mkdir", lambda: os.mkdir("/in/x"))
attempt("symlink", lambda: os.symlink("/etc", "/in/x"))
attempt("hard link", lambda: os.link("/in/data", "/in/x"))
attempt("fifo", lambda: os.mkfifo("/in/x"))
attempt("device", lambda: os.mknod("/in/x", 0o20666, os.makedev(1, 3)))
attempt("chmod data", lambda: os.chmod("/in/data", 0o666))
attempt("remove data", lambda: os.unlink("/in/data"))
attempt("memory file", lambda: os.memfd_create("x"))

attempt("temporary file", lambda: os.open("/in", os.O_TMPFILE | os.O_WRONLY, 0o600))
attempt("rename data", lambda: os.rename("/in/rows/data", "/in/rows/x"))
attempt("executable memory", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
attempt("executable file", lambda: mapped_as_code("/in/rows/data"))
attempt("program", lambda: os.execv(f"/py/bin/{python}", [python, "-c", ""]))
attempt("another filter", lambda: system_call(told["calls"]["prctl"], 22, 2, None, 0, 0))
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("process", lambda: subprocess.run([f"/py/bin/{python}", "-c", ""]))
attempt("thread", lambda: threading.Thread(target=len, args=("",)).start())
attempt("signal init", lambda: os.kill(1, 9))
attempt("signal all", lambda: os.kill(-1, 9))
attempt("raise limit", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))
attempt("tiocsti", lambda: system_call(told["calls"]["ioctl"], 0, 0x5412, b"x"))
attempt("no new privs off", lambda: system_call(told["calls"]["prctl"], 38, 0, 0, 0, 0))
attempt("limits of init", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE))
for name, number in told["calls"].items():
    if name not in ("ioctl", "prctl"):
        attempt("call " + name, lambda number=number: system_call(number, 0, 0, 0, 0, 0, 0))


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


seen = {
    "ended": ended,
    "root": sorted(os.listdir("/")),
    "in": sorted(os.listdir("/in")),
    "site": sorted(os.listdir("/site")),
    "descriptors": [fd for fd in range(1024) if is_open(fd)],
    "environment": dict(os.environ),
    "arguments": sys.argv,
    "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getegid()],
}
print(json.dumps(seen))
