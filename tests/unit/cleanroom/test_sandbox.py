"""The real sandbox: it runs what it should, and models that try to get out do not, each for the expected reason."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyseccomp
import pytest

from shudu.cleanroom import command
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.sandbox import (
    JobSpec,
    Limits,
    OutputSpec,
    SandboxError,
    job_folder,
    output_bytes,
    read_scores,
)

JobMaker = Callable[..., JobSpec]
HOSTILE = Path(__file__).with_name("hostile")


@pytest.fixture
def hostile(tmp_path: Path) -> Callable[[str], Bubblewrap]:
    """The sandbox with a worker of these lines in the place of ours."""

    def make(source: str) -> Bubblewrap:
        worker = tmp_path / "worker.py"
        worker.write_text(source, "utf-8")
        worker.chmod(0o644)
        return Bubblewrap(worker)

    return make


def failed(sandbox: Bubblewrap, job: JobSpec) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        sandbox.run(job)
    return caught.value


def test_capabilities_say_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # what we are told ourselves is neither passed on nor held against us
    found = Bubblewrap().check().report()
    assert json.loads(json.dumps(found)) == found
    assert found["backend"] == "bubblewrap"
    assert {"ipc", "mnt", "net", "pid", "user", "uts"} <= set(found["namespaces"])
    assert (found["seccomp"], found["no_new_privs"], found["capabilities"], found["uid"]) == (2, 1, 0, 65_534)
    assert found["uid_per_job"] == (os.geteuid() == 0)


# --- attempts to get out -------------------------------------------------------------------------------------------

FORBIDDEN_CALLS = """
unshare setns mount umount2 pivot_root chroot ptrace process_vm_readv process_vm_writev keyctl add_key request_key
io_uring_setup io_uring_enter bpf perf_event_open userfaultfd open_by_handle_at name_to_handle_at pidfd_open
pidfd_getfd pidfd_send_signal memfd_create memfd_secret shmget msgget semget mq_open clone socket connect bind listen
sendto sendmsg kexec_load init_module reboot swapon settimeofday personality acct quotactl fsopen move_mount open_tree
mknodat linkat renameat2 truncate ftruncate fallocate setuid setgid setgroups capset kill tgkill execveat vhangup
""".split()


@pytest.fixture(scope="module", params=["before a model is there", "where a model is"])
def battery(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Any]:
    """One run of `hostile/battery.py` beside listeners of our own; what it saw, and whether anything reached them."""
    home = tmp_path_factory.mktemp("home")
    (home / "shudu.sqlite3").write_bytes(b"secret")
    home.chmod(0o755)
    (home / "shudu.sqlite3").chmod(0o644)
    calls = {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in [*FORBIDDEN_CALLS, "clone3"]}
    calls |= {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in ("ioctl", "prctl")}
    abstract = f"shudu-{os.getpid()}"
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    path, named = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    inherited = os.open(home / "shudu.sqlite3", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    os.environ["SHUDU_CANARY"] = "secret"
    try:
        with tcp, udp, path, named, job_folder() as folder:
            tcp.bind(("127.0.0.1", 0))
            udp.bind(("127.0.0.1", 0))
            path.bind(str(folder / "socket"))
            named.bind("\0" + abstract)
            for one in (tcp, path, named):
                one.listen()
            for one in (tcp, udp, path, named):
                one.setblocking(False)
            told = {
                "sealed": request.param == "where a model is",
                "home": str(home / "shudu.sqlite3"),
                "unix": str(folder / "socket"),
                "abstract": abstract,
                "tcp": tcp.getsockname()[1],
                "udp": udp.getsockname()[1],
                "calls": {name: number for name, number in calls.items() if number >= 0},
            }
            data = folder / "data"
            data.write_bytes(b"the only data")
            job = JobSpec("scorecard", json.dumps(told).encode(), data, 4_000, (), OutputSpec("score", 0, 1))
            seen: dict[str, Any] = json.loads(Bubblewrap(HOSTILE / "battery.py").run(job))
            seen["data"] = data.read_bytes().decode()
            seen["hits"] = [one.getsockname() for one in (tcp, path, named) if _reached(one.accept)]
            seen["hits"] += ["udp"] if _reached(lambda: udp.recv(1)) else []
    finally:
        os.close(inherited)
        del os.environ["SHUDU_CANARY"]
    seen["sealed"] = told["sealed"]
    seen["home"] = str(home / "shudu.sqlite3")
    return seen


def _reached(look: Callable[[], Any]) -> bool:
    try:
        look()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [
        "tcp loopback",
        "tcp out",
        "tcp 6",
        "udp",
        "unix path",
        "unix abstract",
        "socket pair",
        "netlink",
        "vsock",
        "packet",
    ],
)
def test_no_socket_of_any_family(battery: dict[str, Any], name: str) -> None:
    assert battery["ended"][name] == "EPERM"


def test_nothing_reached_a_listener(battery: dict[str, Any]) -> None:
    assert battery["hits"] == []
    assert battery["ended"]["dns"] != "done"


@pytest.mark.parametrize("name", ["/etc/shadow", "/etc/passwd", "/root", "/home", "/run", "/tmp", "/dev/null", "/sys"])
def test_files_of_the_host_are_not_there(battery: dict[str, Any], name: str) -> None:
    assert battery["ended"][f"open {name}"] == "ENOENT"


@pytest.mark.parametrize("name", ["/proc/1/environ", "/proc/self/mem", "/proc/self/mountinfo", "/proc/1/root"])
def test_there_is_no_proc(battery: dict[str, Any], name: str) -> None:
    assert battery["ended"][f"open {name}"] == "ENOENT"


def test_a_home_cannot_be_read(battery: dict[str, Any]) -> None:
    assert Path(battery["home"]).read_bytes() == b"secret", "readable for everybody outside"
    assert battery["ended"][f"open {battery['home']}"] == "ENOENT"
    assert battery["ended"]["climb"] == "ENOENT"


def test_it_sees_its_own_things_only(battery: dict[str, Any]) -> None:
    assert set(battery["root"]) <= {"in", "lib", "lib64", "py", "site", "usr"}
    assert battery["in"] == ["data", "evaluator.py", "rows", "walls.py", "worker.py"]
    assert set(battery["site"]) <= {"numpy", "numpy.libs", "pyarrow", "pyarrow.libs"}
    assert battery["ids"] == [65_534] * 4
    assert battery["arguments"] == ["/in/worker.py"]


def test_nothing_is_inherited(battery: dict[str, Any]) -> None:
    assert battery["descriptors"] == [0, 1, 2]
    assert set(battery["environment"]) <= {*command.ENVIRONMENT, "LC_CTYPE", "PWD"}
    assert "secret" not in battery["environment"].values()


def test_nothing_can_be_written(battery: dict[str, Any]) -> None:
    ended = battery["ended"]
    writes = {name: how for name, how in ended.items() if name.startswith(("write ", "create in "))}
    assert len(writes) == 14
    assert set(writes.values()) <= {"EACCES", "ENOENT", "EROFS"}, writes
    for name in (
        "mkdir",
        "symlink",
        "hard link",
        "fifo",
        "device",
        "chmod data",
        "remove data",
        "rename data",
        "memory file",
    ):
        assert ended[name] == "EPERM", name
    assert battery["data"] == "the only data"


@pytest.mark.parametrize("name", ["fork", "process", "signal init", "signal all", "tiocsti", "no new privs off"])
def test_processes_and_terminals(battery: dict[str, Any], name: str) -> None:
    assert battery["ended"][name] in ("EPERM", "PermissionError")


def test_a_model_starts_nothing_and_makes_nothing_code(battery: dict[str, Any]) -> None:
    """Before a model is there memory may become code, for our own libraries do; programs never start."""
    ended, sealed = battery["ended"], battery["sealed"]
    assert ended["program"] == ("EPERM" if sealed else "EACCES"), "Landlock forbids it first, then the second filter"
    for name in ("executable memory", "executable file"):
        assert ended[name] == ("EPERM" if sealed else "done"), name
    assert ended["another filter"] == ("EPERM" if sealed else "EFAULT")
    assert ended["temporary file"] in ("EACCES", "EROFS")


def test_no_threads_and_no_higher_limits(battery: dict[str, Any]) -> None:
    assert battery["ended"]["thread"] == "RuntimeError"
    assert battery["ended"]["raise limit"] == "ValueError"
    assert battery["ended"]["limits of init"] in ("EPERM", "PermissionError")


def test_forbidden_system_calls(battery: dict[str, Any]) -> None:
    tried = {name.removeprefix("call "): how for name, how in battery["ended"].items() if name.startswith("call ")}
    assert len(tried) >= 60
    assert tried.pop("clone3") == "ENOSYS"
    assert set(tried.values()) == {"EPERM"}, tried


# --- using up what there is ----------------------------------------------------------------------------------------


def test_output_over_the_cap_is_cut_off(hostile: Callable[[str], Bubblewrap], make_job: JobMaker) -> None:
    flood = "import os\nwhile True: os.write(1, bytes(1 << 20))"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert failed(hostile(flood), make_job(1_000)).code == "model.output"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    "source", ["import time; time.sleep(60)", "import os, time; os.close(1); os.close(2); time.sleep(60)"]
)
def test_sleeping_past_the_wall_clock(hostile: Callable[[str], Bubblewrap], make_job: JobMaker, source: str) -> None:
    sandbox = hostile(source)
    sandbox.capabilities()
    began = time.monotonic()
    assert failed(sandbox, make_job(wall_seconds=1.0)).code == "model.timeout"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "source",
    ["while True: pass", "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"],
)
def test_spinning_past_the_cpu_limit(hostile: Callable[[str], Bubblewrap], make_job: JobMaker, source: str) -> None:
    assert failed(hostile(source), make_job(cpu_seconds=1)).code == "model.timeout"


@pytest.mark.parametrize(
    "source",
    ["x = bytearray(1 << 30)", "x = []\nwhile True: x.append(bytes(1 << 20))", "import numpy; numpy.ones(1 << 28)"],
)
def test_memory_is_limited(hostile: Callable[[str], Bubblewrap], make_job: JobMaker, source: str) -> None:
    assert failed(hostile(source), make_job(memory_mb=400)).code == "model.memory"


def test_what_it_says_is_kept_for_the_owner_and_capped(
    hostile: Callable[[str], Bubblewrap], make_job: JobMaker
) -> None:
    source = "import os, sys\nos.write(2, b'customer 4711 ' * 100_000)\nsys.exit(3)"
    error = failed(hostile(source), make_job(log_bytes=1_000))
    assert error.code == "model.failed"
    assert error.owner_log.startswith(b"customer 4711")
    assert len(error.owner_log) == 1_000
    assert "4711" not in f"{error}{error!r}{error.message}{error.remedy}{error.where}"


def test_an_error_of_the_model_ends_in_its_code_only(hostile: Callable[[str], Bubblewrap], make_job: JobMaker) -> None:
    error = failed(hostile("raise ValueError(open('/in/data', 'rb').read(6))"), make_job())
    assert error.code == "model.failed"
    assert b"ARROW1" in error.owner_log
    assert "ARROW1" not in str(error)


def test_too_little_output_is_noticed_by_the_reader(hostile: Callable[[str], Bubblewrap], make_job: JobMaker) -> None:
    job = make_job(10)
    raw = hostile("print('hello')").run(job)
    with pytest.raises(SandboxError) as caught:
        read_scores(raw, 10, job.output)
    assert caught.value.code == "model.output"


# --- leaving nothing behind ----------------------------------------------------------------------------------------


def descendants(pid: int) -> set[int]:
    """Every living process below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


STARTER = """
from pathlib import Path
from shudu.cleanroom.bubblewrap import Bubblewrap
from shudu.cleanroom.sandbox import JobSpec, Limits, OutputSpec, job_folder
import sys
with job_folder() as folder:
    (folder / "data").write_bytes(b"")
    sandbox = Bubblewrap(Path(sys.argv[1]))
    sandbox.capabilities()
    print(folder, flush=True)
    limits = Limits(cpu_seconds=int(sys.argv[2]))
    sandbox.run(JobSpec("scorecard", b"", folder / "data", 1, (), OutputSpec("score", 0, 1), limits))
"""


@pytest.mark.parametrize("after", [None, 0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12])
def test_the_job_dies_with_whoever_started_it(tmp_path: Path, after: float | None) -> None:
    """Killed while the job runs (None), and at moments while its namespaces are still being made."""
    worker = tmp_path / "worker.py"
    worker.write_text("import time; time.sleep(120)")
    worker.chmod(0o644)
    mark = secrets.randbelow(10**9) + 10**9  # a limit of no effect, which stands in every command line of this job
    command = [sys.executable, "-c", STARTER, str(worker), str(mark)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        folder = Path(starter.stdout.readline().strip())
        deadline = time.monotonic() + 20
        # The guard, bubblewrap, its first process in the namespace, and the worker.
        while len(marked(mark) - {starter.pid}) < (4 if after is None else 1):
            assert time.monotonic() < deadline
        time.sleep(after or 0)
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    deadline = time.monotonic() + 20
    while left := marked(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    assert folder.stat().st_mode & 0o077 == 0, "what a kill leaves behind nobody else can enter"
    os.utime(folder, (0, 0))
    with job_folder():
        assert not folder.exists(), "and the next job removes it"


def marked(mark: int) -> set[int]:
    """Every process with this number in its command line."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(mark).encode() in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
    return found


def test_a_folder_in_use_is_not_swept() -> None:
    with job_folder() as mine:
        os.utime(mine, (0, 0))
        with job_folder():
            assert mine.exists()


def test_nothing_is_left_after_success_and_failure(
    hostile: Callable[[str], Bubblewrap], make_job: JobMaker, folder: Path
) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    before = descendants(os.getpid())  # a server that other tests share may live as long as they all
    job = make_job(10, wall_seconds=1.0)
    Bubblewrap().run(replace(job, limits=Limits()))
    failed(hostile("import time; time.sleep(60)"), job)
    assert sorted(one.name for one in folder.iterdir()) == ["data.arrow"]
    assert descendants(os.getpid()) <= before
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_no_descriptor_is_left_open(hostile: Callable[[str], Bubblewrap], make_job: JobMaker) -> None:
    job, bad = make_job(10), hostile("raise SystemExit(1)")
    bad.capabilities()
    before = sorted(os.listdir("/proc/self/fd"))
    Bubblewrap().run(job)
    failed(bad, job)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_the_cap_is_what_the_rows_need() -> None:
    assert output_bytes(1_000) - 8_000 < 400
    assert output_bytes(1_000_000) - 8_000_000 < 5_000
