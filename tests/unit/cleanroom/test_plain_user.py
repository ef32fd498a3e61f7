"""The whole battery once more, from a readable clone, by an ordinary user with the system's Python: other ways in the
guard and another interpreter in the root folder, the same walls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import PLAIN, REPOSITORY

SYSTEM = Path("/usr/bin/python3")
# Neither the moments of a kill nor a spinning processor depend on the user who started it.
LEFT_OUT = "not (dies_with_whoever or capabilities_say or spinning)"
NAME = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def own() -> Iterator[Path]:
    """A folder of that user's, which it can reach."""
    with tempfile.TemporaryDirectory(prefix="shudu-plain-", ignore_cleanup_errors=True) as made:
        os.chown(made, PLAIN, PLAIN)
        yield Path(made)


@pytest.fixture
def clone(own: Path) -> Path:
    """This repository where everybody may read it, with an environment of the system's Python and our packages."""
    place = own / "clone"
    waste = shutil.ignore_patterns("__pycache__", "built")
    for folder in ("src", "tests"):
        shutil.copytree(REPOSITORY / folder, place / folder, ignore=waste)
    shutil.copy(REPOSITORY / "pyproject.toml", place)
    site = place / "environment" / "lib" / NAME / "site-packages"
    site.mkdir(parents=True)
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (place / "environment" / "pyvenv.cfg").write_text(f"home = {SYSTEM.parent}\n")
    (place / "environment" / "bin").mkdir()
    (place / "environment" / "bin" / "python").symlink_to(SYSTEM)
    subprocess.run(["chmod", "-R", "go+rX", place], check=True)
    return place


def test_the_battery_as_an_ordinary_user_of_the_system_s_python(own: Path, clone: Path) -> None:
    python = str(clone / "environment" / "bin" / "python")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(own), "TMPDIR": str(own), "PYTHONPATH": str(clone / "src")}
    machine = [sys.executable, str(Path(__file__).with_name("machine.py")), "plain", "--"]
    asked = (
        "import os, sys, shudu; print(os.getuid(), sys.base_prefix, os.path.realpath(sys.executable), shudu.__file__)"
    )
    which = subprocess.run(
        [*machine, python, "-c", asked],
        env=environment,
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code = clone / "src" / "shudu" / "__init__.py"
    assert which.stdout.split() == [str(PLAIN), "/usr", str(SYSTEM.resolve()), str(code)]
    command = [*machine, python, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["--basetemp", str(own / "pytest"), "-k", LEFT_OUT]
    battery = clone / "tests" / "unit" / "cleanroom"
    command += [str(battery / "test_sandbox.py"), str(battery / "test_port.py")]
    done = subprocess.run(command, env=environment, cwd=clone, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
