"""Every test run has a home and keys of its own; Django is told before it loads."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import hypothesis
import pytest
from django.conf import settings

from frozen import FrozenClock

_TOLD = {"SHUDU_GOLDEN", "SHUDU_NO_SKIPS", "SHUDU_SHOTS"}  # words to the tests themselves
_place = Path(tempfile.mkdtemp(prefix="shudu-tests-"))
for _name in [name for name in os.environ if name.startswith("SHUDU_") and name not in _TOLD]:
    del os.environ[_name]
os.environ["SHUDU_HOME"] = str(_place / "home")
os.environ["SHUDU_KEYS"] = str(_place / "keys")
os.environ["SHUDU_API_CALLS_PER_MINUTE"] = "0"  # many callers in one process; what limits them has tests of its own
os.environ["DJANGO_SETTINGS_MODULE"] = "shudu.config.settings"
for _name in ("home", "keys"):
    (_place / _name).mkdir(mode=0o700)

django.setup()  # here, so that the conftests of rooms can import models
if str(settings.HOME) != os.environ["SHUDU_HOME"]:
    raise RuntimeError("Django was told of another home before this one was made; two processes would share it")


# How long an example takes says how busy the machine is; what must be quick is measured elsewhere.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Whoever only hands tests out to other processes leaves them nothing that says where its own home is: Django
    would be told of it before they have made theirs."""
    if config.getoption("numprocesses", None):
        for name in ("DJANGO_SETTINGS_MODULE", "SHUDU_HOME", "SHUDU_KEYS"):
            os.environ.pop(name, None)


@pytest.fixture
def clock() -> Iterator[FrozenClock]:
    """The process's clock, standing still at `frozen.START`."""
    from shudu.policy import clock as port

    frozen = FrozenClock()
    previous = port.use(frozen)
    yield frozen
    port.use(previous)


@pytest.fixture
def home() -> Path:
    """The home folder this process's Django works in (one for the whole run; its keys lie beside it)."""
    from shudu.config.settings import HOME

    return HOME


# Where a machine lacks a part a test is skipped by name; the project's own checks allow no skip at all.
_strict = bool(os.environ.get("CI") or os.environ.get("SHUDU_NO_SKIPS"))
_unrun: dict[str, str] = {}


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
        _unrun[report.nodeid] = str(reason)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _strict and _unrun and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _strict and _unrun:
        terminalreporter.section("skips are forbidden here (SHUDU_NO_SKIPS or CI is set)", red=True)
        for name, reason in sorted(_unrun.items()):
            terminalreporter.write_line(f"{name}: {reason}")


def pytest_unconfigure() -> None:
    shutil.rmtree(_place, ignore_errors=True)
