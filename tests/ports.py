"""Ports for servers that tests start, while other tests start theirs."""

from __future__ import annotations

import random
import socket

# Below the ports the kernel hands out by itself: asked for "any", it may give the same one to somebody's outgoing
# connection in the second before our server takes it.
_OURS = range(12_000, 32_000)
_chance = random.SystemRandom()


def free() -> int:
    """A port of 127.0.0.1 that nobody listens on; chosen by chance, so that no two tests at once choose the same."""
    for _ in range(100):
        port = _chance.choice(_OURS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no free port among a hundred tried")
