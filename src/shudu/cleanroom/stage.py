"""Run by root only, before bubblewrap: `stage.py JOB`, standard library only. JOB is JSON {binds, uid, argv}.

The job gets a user id of its own, so that whatever escaped would own nothing here. Such an id cannot walk through a
0700 home to the interpreter or the data; therefore root binds all sources below /tmp of a private mount namespace,
drops to that id for good, and only then becomes bubblewrap.
"""

import ctypes
import json
import os
import stat
import sys

_libc = ctypes.CDLL(None, use_errno=True)
_NEWNS = 0x20000
_NOSUID_NODEV = 0x6
_BIND_REC = 0x5000
_PRIVATE_REC = 0x44000


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main() -> None:
    job = json.loads(sys.argv[1])
    _must(_libc.unshare(_NEWNS))
    _must(_libc.mount(b"none", b"/", None, _PRIVATE_REC, None))
    sources = [(os.open(source, os.O_PATH), target) for source, target in job["binds"]]
    _must(_libc.mount(b"none", b"/tmp", b"tmpfs", _NOSUID_NODEV, b"mode=0755,size=1m"))
    for source, target in sources:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if stat.S_ISDIR(os.fstat(source).st_mode):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
        _must(_libc.mount(b"/proc/self/fd/%d" % source, os.fsencode(target), None, _BIND_REC, None))
    os.chdir("/")
    os.setgroups([])
    os.setresgid(job["uid"], job["uid"], job["uid"])
    os.setresuid(job["uid"], job["uid"], job["uid"])
    os.execv(job["argv"][0], job["argv"])


if __name__ == "__main__":
    main()
