"""Real processes, really killed: what falls is restarted, and nothing outlives the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ports

# A child like granian: its own child holds the port, and lives on when only its parent is killed.
SERVER = textwrap.dedent("""
    import os, pathlib, signal, socket, sys, time
    place, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    pid = os.fork()
    if pid == 0:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        (place / "grandchild").write_text(str(os.getpid()))
        time.sleep(600)
    (place / "web").write_text(str(os.getpid()))
    def end(number, frame):
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    while True:
        time.sleep(600)
""")
WORKER = textwrap.dedent("""
    import os, pathlib, sys, time
    (pathlib.Path(sys.argv[1]) / "worker").write_text(str(os.getpid()))
    time.sleep(600)
""")
STUBBORN = textwrap.dedent("""
    import os, pathlib, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (pathlib.Path(sys.argv[1]) / "worker").write_text(str(os.getpid()))
    time.sleep(600)
""")
SUPERVISOR = textwrap.dedent("""
    import sys
    from shudu.config import supervisor
    place, port, server, worker, patience = sys.argv[1:]
    supervisor.PATIENCE = float(patience)
    commands = {
        "web": [sys.executable, "-c", server, place, port],
        "worker": [sys.executable, "-c", worker, place],
    }
    sys.exit(supervisor.supervise(commands, port=int(port), ready=lambda: print("ready", flush=True)))
""")


def until(true: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Running, not merely unburied."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


class House:
    def __init__(self, place: Path, worker: str = WORKER, patience: float = 10) -> None:
        self.place, self.port = place, ports.free()
        command = [sys.executable, "-c", SUPERVISOR, place, str(self.port), SERVER, worker, str(patience)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        until(lambda: (place / "worker").exists())

    def pid(self, name: str) -> int:
        until(lambda: (self.place / name).exists() and (self.place / name).read_text() != "")
        return int((self.place / name).read_text())

    def everyone(self) -> list[int]:
        return [self.pid(name) for name in ("web", "grandchild", "worker")]

    def close(self) -> None:
        """End the supervisor and whatever it failed to end: an orphan would hold our pipes open."""
        self.process.kill()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                mine = str(self.place).encode() in (process / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if mine:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process.name), signal.SIGKILL)
        self.process.communicate(timeout=15)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_killed_child_is_restarted(house: House, name: str) -> None:
    old, left = house.pid(name), house.pid("grandchild")
    os.kill(old, signal.SIGKILL)
    until(lambda: house.pid(name) != old)
    assert alive(house.pid(name))
    if name == "web":  # what it had started is gone, so the new one could take the port
        assert not alive(left)
        until(lambda: house.pid("grandchild") != left and taken(house.port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_everything_and_frees_the_port(house: House, number: signal.Signals) -> None:
    everyone = house.everyone()
    house.process.send_signal(number)
    assert house.process.wait(15) == 0
    assert [pid for pid in everyone if alive(pid)] == []
    assert not taken(house.port)


def test_a_killed_supervisor_takes_everything_with_it(house: House) -> None:
    everyone = house.everyone()
    house.process.kill()
    house.process.wait(5)
    until(lambda: not any(alive(pid) for pid in everyone))
    assert not taken(house.port)


def test_a_child_that_will_not_end_is_ended(tmp_path: Path) -> None:
    house = House(tmp_path, STUBBORN, patience=0.5)
    everyone = house.everyone()
    house.process.terminate()
    assert house.process.wait(15) == 1
    assert [pid for pid in everyone if alive(pid)] == []
    house.close()


def test_a_child_that_keeps_falling_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    house = House(tmp_path, "import sys, pathlib; pathlib.Path(sys.argv[1], 'worker').touch(); sys.exit(3)")
    time.sleep(3)
    house.process.terminate()
    _, errors = house.process.communicate(timeout=15)
    pauses = [float(line.split("restart in ")[1].split()[0]) for line in errors.splitlines() if "exit 3" in line]
    assert 2 <= len(pauses) <= 6
    assert pauses == sorted(set(pauses))


def test_a_taken_port_is_refused_in_words_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        command = [sys.executable, "-c", SUPERVISOR, tmp_path, str(port), SERVER, WORKER, "1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "已被占用" in done.stderr
    assert "is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_is_none_is_refused_in_words(tmp_path: Path, port: str) -> None:
    command = [sys.executable, "-c", SUPERVISOR, tmp_path, port, SERVER, WORKER, "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "65535" in done.stderr
    assert "Traceback" not in done.stderr
