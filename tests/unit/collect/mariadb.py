"""A real MariaDB of this test run's own: on a socket and a loopback port, gone with the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ports


class MariaDB:
    """Started as the user `mysql` where we are root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, str(folder / "socket")
        self.port = ports.free()
        user = []
        if os.getuid() == 0:
            mysql = pwd.getpwnam("mysql")
            os.chown(folder, mysql.pw_uid, mysql.pw_gid)
            user = ["--user=mysql"]
        base = ["--no-defaults", f"--datadir={folder}/data", *user]
        subprocess.run(
            ["mariadb-install-db", *base, "--auth-root-authentication-method=normal", "--skip-test-db", "--force"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        with (folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                [
                    "mariadbd", *base, f"--socket={self.socket}", f"--pid-file={folder}/pid", "--skip-log-bin",
                    "--bind-address=127.0.0.1", f"--port={self.port}", "--innodb-flush-log-at-trx-commit=0",
                    "--innodb-buffer-pool-size=16M",
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + 60
        while subprocess.run(self._client("mariadb-admin", "ping"), capture_output=True).returncode:
            assert self._server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)

    def _client(self, program: str, *words: str) -> list[str]:
        return [program, "--no-defaults", "-uroot", f"--socket={self.socket}", *words]

    def do(self, sql: str) -> None:
        """Run statements as the administrator."""
        command = self._client("mariadb", "--default-character-set=utf8mb4")
        subprocess.run(command, input=sql.encode(), check=True, timeout=60)

    def stop(self) -> None:
        self._server.kill()
        self._server.wait()


@contextmanager
def running() -> Iterator[MariaDB]:
    """A server for the length of the block; skipped by name where Debian's package is missing."""
    if shutil.which("mariadbd") is None:
        pytest.skip("no MariaDB server here: Debian's package mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="shudu-maria-"))
    made = MariaDB(folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
