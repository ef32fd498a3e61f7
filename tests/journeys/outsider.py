"""An outsider with nothing but the public pages of the ledger: serves them from a home and audits them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import ports
from journeys.console import Console
from unit.ledger.independent import audit


def audit_home(console: Console) -> tuple[int, str]:
    """Size and base64 root of the ledger, recomputed over HTTP from its tiles and entries."""
    key = console.say("ledger", "key").out.strip()
    port = ports.free()
    server = subprocess.Popen(
        [sys.executable, "-m", "shudu.cli", "serve", "--port", str(port)],
        env=console.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        base = f"http://127.0.0.1:{port}/ledger"
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{base}/checkpoint", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.1)

        def fetch(path: str) -> bytes:
            with urllib.request.urlopen(f"{base}/{path}", timeout=10) as answer:
                data: bytes = answer.read()
                return data

        size, root = audit(fetch, key)
        return size, root if isinstance(root, str) else __import__("base64").b64encode(root).decode()
    finally:
        os.killpg(server.pid, 15)
        server.wait(15)
