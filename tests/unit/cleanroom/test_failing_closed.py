"""Whatever the machine lacks, the sandbox notices, and no model runs without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyseccomp
import pytest

from shudu.cleanroom import bubblewrap, command, execution, remembered, runtime
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.sandbox import (
    JobSpec,
    SandboxUnavailable,
)

JobMaker = Callable[..., JobSpec]


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Whatever a test weakens, the next one finds the sandbox checked anew."""
    bubblewrap.forget()
    remembered.forget()
    yield
    bubblewrap.forget()


@pytest.mark.usefixtures("unchecked")
def test_a_filter_that_lets_calls_through_is_noticed(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def permissive() -> tuple[bytes, bytes]:
        with open(os.memfd_create("filter"), "w+b") as file:
            pyseccomp.SyscallFilter(pyseccomp.ALLOW).export_bpf(file)
            file.seek(0)
            return (program := file.read()), program

    monkeypatch.setattr(runtime, "compile_filters", permissive)
    with pytest.raises(SandboxUnavailable) as caught:
        Bubblewrap().run(make_job(1))
    assert {"ptrace", "tcp", "udp", "unix"} <= set(caught.value.where["missed"])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("weaker", ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts"])
def test_a_missing_namespace_is_noticed(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch, weaker: str) -> None:
    whole = command._options
    words = {weaker, "--hostname", "job"} if weaker == "--unshare-uts" else {weaker}
    monkeypatch.setattr(command, "_options", lambda *given: [one for one in whole(*given) if one not in words])
    with pytest.raises(SandboxUnavailable) as caught:
        Bubblewrap().run(make_job(1))
    assert f"namespace {weaker.removeprefix('--unshare-')}" in caught.value.where["missed"]


@pytest.mark.usefixtures("unchecked")
def test_a_file_of_the_host_that_shows_is_noticed(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runtime.runtime

    def leaky() -> runtime.Runtime:
        parts = whole()
        return replace(parts, binds=(*parts.binds, (Path("/etc"), "/etc")))

    monkeypatch.setattr(execution, "runtime", leaky)
    with pytest.raises(SandboxUnavailable) as caught:
        Bubblewrap().run(make_job(1))
    assert caught.value.where["missed"] == ["root"]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("program", ["/nowhere/bwrap", "/bin/false"])
def test_without_bubblewrap_nothing_runs(make_job: JobMaker, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(runtime, "find_bubblewrap", lambda: (Path(program), ()))
    with pytest.raises(SandboxUnavailable) as caught:
        Bubblewrap().run(make_job(1))
    error = caught.value
    assert error.remedy is not None
    assert "kernel.unprivileged_userns_clone" in error.remedy.en
    assert "bubblewrap" in error.remedy.zh
    assert "libseccomp2" in error.remedy.zh


@pytest.mark.usefixtures("unchecked")
def test_a_sandbox_that_does_not_start_is_not_the_model_s_fault(
    make_job: JobMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(1)
    Bubblewrap().capabilities()
    whole = runtime.runtime

    def broken() -> runtime.Runtime:
        parts = whole()
        return replace(parts, options=(*parts.options, "--ro-bind", "/nowhere", "/nowhere"))

    monkeypatch.setattr(execution, "runtime", broken)
    with pytest.raises(SandboxUnavailable) as caught:
        Bubblewrap().run(job)
    assert "/nowhere" in caught.value.where["detail"]
