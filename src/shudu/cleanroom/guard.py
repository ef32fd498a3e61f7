"""Stands between us and bubblewrap, a process for each job: `guard.py JOB`, standard library only.

JOB is JSON {argv, binds, joins, stdin, uid}: `joins` are files of control groups to be joined, `stdin` is the
descriptor the job is told from, null for none. Our own standard input is a pipe that whoever wants the job holds open
and never writes to. The job ends when that pipe closes, however its holder died. Bubblewrap's own --die-with-parent
comes too late when its parent dies while it is still making the namespaces: a job could then run with nobody's clock
over it.

Started by root it also gives the job a user id of its own, so that whatever escaped would own nothing here. Such an id
cannot walk through a 0700 home to the interpreter or the data; therefore root first binds all sources below /tmp of a
private mount namespace, and then drops to that id for good.
"""

import ctypes
import json
import os
import select
import signal
import stat
import sys
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)
_BIND_REC = 0x5000
_NEWNS = 0x20000
_NOSUID_NODEV = 0x6
_PRIVATE_REC = 0x44000
_SUBREAPER = 36


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _stage(binds: list[tuple[str, str]], uid: int) -> None:
    _must(_libc.unshare(_NEWNS))
    _must(_libc.mount(b"none", b"/", None, _PRIVATE_REC, None))
    sources = [(os.open(source, os.O_PATH), target) for source, target in binds]
    _must(_libc.mount(b"none", b"/tmp", b"tmpfs", _NOSUID_NODEV, b"mode=0755,size=1m"))
    for source, target in sources:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if stat.S_ISDIR(os.fstat(source).st_mode):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
        _must(_libc.mount(b"/proc/self/fd/%d" % source, os.fsencode(target), None, _BIND_REC, None))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _start(argv: list[str], told: int | None) -> int:
    source = os.open("/dev/null", os.O_RDONLY) if told is None else told
    child = os.fork()
    if child == 0:
        try:
            os.dup2(source, 0)
            os.close(source)
            os.execv(argv[0], argv)
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
        os._exit(127)
    os.close(source)
    return child


def _children() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parent = file.read().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid():
                yield int(name)


def _end_all() -> None:
    """Kill and reap until nothing is left: orphans come to this process, a dead first process takes its namespace."""
    while True:
        for child in _children():
            os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main() -> None:
    job = json.loads(sys.argv[1])
    os.chdir("/")
    _must(_libc.prctl(_SUBREAPER, 1, 0, 0, 0))
    for path in job["joins"]:
        with open(path, "w") as group:
            group.write("0")
    if job["uid"] is not None:
        _stage(job["binds"], job["uid"])
    child = _start(job["argv"], job["stdin"])
    waiting = select.poll()
    waiting.register(os.pidfd_open(child), select.POLLIN)
    waiting.register(0, select.POLLIN)
    waiting.poll()
    code, done = 1, os.waitpid(child, os.WNOHANG)
    if done[0]:
        code = os.waitstatus_to_exitcode(done[1])
    _end_all()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
