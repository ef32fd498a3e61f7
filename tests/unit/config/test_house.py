"""The house as it is put up: Django's own checks, migrations that say what the models say, the web server for real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import translation

import ports


def test_django_finds_nothing_wrong() -> None:
    call_command("check", fail_level="WARNING")


def test_migrations_say_what_the_models_say() -> None:
    loader = MigrationLoader(None)
    with translation.override(None):
        found = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(graph=loader.graph)
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("shudu.")}
    assert {app: [migration.operations for migration in made] for app, made in found.items() if app in ours} == {}


def test_migrations_point_down() -> None:
    """A room's tables may depend on those of lower floors only, in the order in which the settings name the rooms."""
    rooms = [config.label for config in apps.get_app_configs() if config.name.startswith("shudu.")]
    wrong = [
        f"{app}.{name} needs {other}"
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        for other, _ in migration.dependencies
        if app in rooms and other in rooms and rooms.index(other) > rooms.index(app)
    ]
    assert wrong == []


@pytest.mark.django_db
def test_acknowledged_is_durable_and_writers_queue() -> None:
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
        assert cursor.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_the_web_server_serves_pages_and_survives_a_kill(tmp_path: Path) -> None:
    """granian under the supervisor, as `shudu up` runs it; a kill -9 of it costs a moment, not the port."""
    port = ports.free()
    script = f"from shudu.config import supervisor as s; raise SystemExit(s.supervise({{'web': s.web({port})}}))"
    environment = {**os.environ, "SHUDU_HOME": str(tmp_path / "home"), "SHUDU_KEYS": str(tmp_path / "keys")}
    (tmp_path / "home").mkdir()
    supervisor = subprocess.Popen([sys.executable, "-c", script], env=environment)
    try:
        assert ask(port) == b"ok\n"
        children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
        assert len(children) == 1
        os.kill(int(children[0]), signal.SIGKILL)
        time.sleep(0.2)
        assert ask(port) == b"ok\n"
        supervisor.terminate()
        assert supervisor.wait(20) == 0
    finally:
        supervisor.kill()
        supervisor.wait()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def ask(port: int) -> bytes:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
