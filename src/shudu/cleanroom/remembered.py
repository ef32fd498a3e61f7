"""What the self-check found, kept for other processes of this boot in a folder only we can enter.

A finding holds for a fingerprint: the boot, the kernel, our own code and its filters, bubblewrap, the interpreter, and
whatever decides what we may do here (user, namespaces, capabilities, filters over us, control groups). Anything else
reads as not found, and the sandbox is tried anew. Whoever could write the file could as well write this one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
import sys
from contextlib import suppress
from pathlib import Path

from .cgroups import tree
from .runtime import runtime
from .sandbox import Capabilities

KNOBS = (
    "user/max_user_namespaces",
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
)
_KEPT = 8
_folder: Path | None = None


def remember_in(folder: Path) -> None:
    """From now on keep findings in `folder`, made 0700 when first needed."""
    global _folder
    _folder = folder


def recall(boot: str) -> Capabilities | None:
    """What was found under the same circumstances."""
    if _folder is None:
        return None
    try:
        file = os.open(_folder / _name(boot), os.O_RDONLY | os.O_NOFOLLOW)
        with open(file, "rb") as told:
            if not (_ours(os.stat(_folder)) and _ours(os.fstat(file))):
                return None
            kept = json.load(told)
        if kept["fingerprint"] != _fingerprint(boot):
            return None
        return Capabilities.from_report(kept["report"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(boot: str, found: Capabilities) -> None:
    """Keep it; a folder that cannot be written only costs the next process a check."""
    if _folder is None:
        return
    with suppress(OSError):
        _folder.mkdir(mode=0o700, exist_ok=True)
        if not _ours(_folder.stat()):
            return
        fresh = _folder / f".{os.urandom(8).hex()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"fingerprint": _fingerprint(boot), "report": found.report()}, file)
        fresh.replace(_folder / _name(boot))
        for old in sorted(_folder.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True)[_KEPT:]:
            old.unlink()


def forget() -> None:
    if _folder is not None:
        for one in _folder.glob("*.json"):
            with suppress(OSError):
                one.unlink()


def _ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _name(boot: str) -> str:
    return hashlib.sha256(json.dumps(_fingerprint(boot)).encode()).hexdigest()[:32] + ".json"


def _fingerprint(boot: str) -> list[str]:
    """Everything a finding depends on."""
    parts, code = runtime(), hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(file.read_bytes() + b"\0")
    program = parts.bwrap.stat()
    rights = [line for line in _read("/proc/self/status").splitlines() if line.startswith(("Cap", "NoNew", "Seccomp:"))]
    spaces = [f"{name} {os.stat(f'/proc/self/ns/{name}').st_ino}" for name in ("user", "mnt", "pid", "net", "ipc")]
    return [
        boot.strip(),
        platform.release(),
        code.hexdigest(),
        hashlib.sha256(parts.filter + parts.sealing).hexdigest(),
        f"{parts.bwrap} {parts.version} {program.st_ino} {program.st_size} {program.st_mtime_ns}",
        f"{parts.python} {sys.version}",
        *(f"{source} {source.stat().st_mtime_ns}" for source, _ in parts.binds),
        str(os.geteuid()),
        _read("/proc/self/uid_map"),
        _read("/proc/self/attr/current"),
        *rights,
        *spaces,
        *(_read(f"/proc/sys/{name}") for name in KNOBS),
        repr(tree()),
    ]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
