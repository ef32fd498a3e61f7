"""What a process in the sandbox closes behind itself: Landlock before its worker, a second filter before its model.

Standalone, standard library only; bound into the sandbox as /in/walls.py. Both only ever take away, and both hold for
good. Numbers and layouts: linux/landlock.h, linux/seccomp.h. ABI n of Landlock knows all that ABI n - 1 knows.
"""

import ctypes
import errno
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights by the ABI that brought them: 13, then REFER, TRUNCATE, IOCTL_DEV.
_RIGHTS = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_TCP = (4, 0b11)  # bind and connect
_SCOPES = (6, 0b11)  # abstract sockets and signals of others
_PR_SET_SECCOMP, _FILTER = 22, 2


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def landlock_abi() -> int:
    """The kernel's ABI, 1 or above. Raises OSError ENOSYS or EOPNOTSUPP when it has no Landlock."""
    return _checked(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION), "Landlock")


def confine(readable: list[str]) -> int:
    """From now on read below `readable`, list folders, and nothing else that Landlock knows; returns the ABI used."""
    abi = landlock_abi()
    rights = sum(bits for since, bits in _RIGHTS if since <= abi)
    handled = [rights, _TCP[1] if abi >= _TCP[0] else None, _SCOPES[1] if abi >= _SCOPES[0] else None]
    attributes = b"".join(struct.pack("=Q", one) for one in handled if one is not None)
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "Landlock")
    for path, allowed in [("/", _READ_DIR), *((one, _READ_FILE | _READ_DIR) for one in readable)]:
        place = os.open(path, os.O_PATH)
        if not os.path.isdir(path):
            allowed &= ~_READ_DIR
        rule = struct.pack("=Qi", allowed, place)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), "Landlock")
        os.close(place)
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "Landlock")
    os.close(ruleset)
    return abi


def can_seal() -> None:
    """Raises OSError EINVAL when the kernel has no filters of system calls; one that has them misses the address."""
    try:
        _checked(_libc.prctl(_PR_SET_SECCOMP, _FILTER, None, 0, 0), "seccomp")
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def seal(program: bytes) -> None:
    """Put the BPF filter `program` behind the one that holds already; a call must pass both."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _checked(_libc.prctl(_PR_SET_SECCOMP, _FILTER, head, 0, 0), "seccomp")
