"""A real PostgreSQL of this test run's own: on a socket in a temporary folder, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return found[-1].parent if found else None


class Server:
    """Started as the user `postgres` where we are root, whom it refuses to run as."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self._do("initdb", "-D", folder / "data", "-A", "trust", "-U", "shudu", "-E", "UTF8", "--locale=C", "--no-sync")
        self._do(
            "pg_ctl", "-D", folder / "data", "-w", "-s", "-l", folder / "log", "start",
            "-o", f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=40",
        )  # fmt: skip

    def _do(self, program: str, *words: object) -> None:
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        env = {"PATH": os.environ["PATH"], "LANG": "C", "HOME": str(self.folder)}
        command = [str(self.programs / program), *map(str, words)]
        subprocess.run(command, check=True, cwd=self.folder, env=env, stdout=subprocess.DEVNULL, timeout=60, **who)  # type: ignore[call-overload]

    def database(self, name: str) -> str:
        """A fresh database; its URL."""
        self._do("createdb", "-h", self.folder, "-U", "shudu", name)
        return f"postgresql://shudu@/{name}?host={self.folder}"

    def stop(self) -> None:
        self._do("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-s", "stop")


@contextmanager
def running() -> Iterator[Server]:
    """A server for the length of the block; skipped by name where Debian's package is missing."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: Debian's package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="shudu-pg-"))
    made = Server(programs, folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
