"""Where skips are forbidden, a skipped test fails the run and is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What this run was told, and what says where its own home is.
OURS = ("CI", "SHUDU_NO_SKIPS", "DJANGO_SETTINGS_MODULE", "SHUDU_HOME", "SHUDU_KEYS")
TESTS = """
import pytest

def test_fine():
    pass

@pytest.mark.skip(reason="no such part here")
def test_skipped():
    pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert False

def test_skips_itself():
    pytest.skip("found out late")
"""


def run(place: Path, tests: str, *words: str, **told: str) -> subprocess.CompletedProcess[str]:
    for name in ("conftest.py", "frozen.py"):
        shutil.copy(ROOT / "tests" / name, place)
    (place / "test_some.py").write_text(tests)
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", place, *words, place]
    return subprocess.run(command, env={**environment, **told}, cwd=place, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("told", [{"CI": "true"}, {"SHUDU_NO_SKIPS": "1"}])
def test_skips_and_expected_failures_fail_the_run(tmp_path: Path, told: dict[str, str]) -> None:
    done = run(tmp_path, TESTS, **told)
    assert done.returncode == 1
    for said in ("test_skipped", "no such part here", "test_expected_to_fail", "known", "found out late"):
        assert said in done.stdout
    assert "1 passed, 2 skipped, 1 xfailed" in done.stdout.splitlines()[-1]


def test_elsewhere_they_are_only_counted(tmp_path: Path) -> None:
    assert run(tmp_path, TESTS).returncode == 0


def test_a_whole_module_that_skips_itself_counts_too(tmp_path: Path) -> None:
    tests = "import pytest\npytest.importorskip('no_such_module')\ndef test_a():\n    pass\n"
    done = run(tmp_path, tests, CI="true")
    assert done.returncode == 1
    assert "test_some.py" in done.stdout


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_a():\n    pass\n", CI="true").returncode == 0


def test_several_processes_are_as_strict_as_one(tmp_path: Path) -> None:
    tests = f"{TESTS}\n{TESTS.replace('def test_', 'def test_also_')}"
    (tmp_path / "test_absent.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    done = run(tmp_path, tests, "-n2", "--dist=loadfile", CI="true")
    assert done.returncode == 1
    for said in ("test_absent.py", "test_also_skipped", "no such part here", "known", "found out late"):
        assert said in done.stdout
    assert "2 passed, 5 skipped, 2 xfailed" in done.stdout.splitlines()[-1]
