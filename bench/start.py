"""Starting a home that has been used before: until the first page is there, and until it is asked again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from ._measure import ROOT, Cost, folder, least, open_house, report, said, sizes
from ._page import amount, growth, table, write

PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetched(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200 and answer.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def processor_seconds(of: int) -> float:
    """What a process and everything under it have used of the processor, those that ended among them."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = place.read_text().partition(" (")
        except OSError:  # it has ended meanwhile
            continue
        parts = rest.rpartition(") ")[2].split()
        parents.setdefault(int(parts[1]), []).append(int(number))
        used[int(number)] = sum(map(int, parts[11:15])) / os.sysconf("SC_CLK_TCK")
    family, total = [of], 0.0
    while family:
        one = family.pop()
        total += used.get(one, 0.0)
        family += parents.get(one, [])
    return total


def start(home: Path) -> tuple[float, float, float]:
    """Seconds from `shudu up` to its first page, for the same page once more, and of the processor until the first."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHUDU_", "DJANGO_", "PYTHON"))}
    environment = kept | {"SHUDU_PORT": str(port)}  # without Python's own: a second start finds compiled modules
    address = f"http://127.0.0.1:{port}/"
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "shudu.cli", "up", "--home", str(home)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not fetched(address):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise SystemExit("`shudu up` gave no page")
                time.sleep(0.01)
            first = time.perf_counter() - began
            used = processor_seconds(process.pid)
            again = time.perf_counter()
            assert fetched(address)
            return first, time.perf_counter() - again, used
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def child(assets: int) -> Cost:
    with folder() as place:
        home = place / "home"
        # In a process of its own, so that nothing holds the home open when it is started.
        subprocess.run(
            [sys.executable, "-m", "bench.start", "--", "fill", str(assets), str(home)], cwd=ROOT, check=True
        )
        start(home)  # the first time
        tries = [start(home) for _ in range(3)]
        first, again, used = min(tries)
        return Cost(used, first, 0, {"again": again, "slowest": max(tries)[0]})


def fill(home: Path, assets: int) -> None:
    open_house(home)
    from ._city import build

    build(assets, assets // 10)


def main() -> None:
    amounts = sizes("1k,10k,100k")
    costs = [least("start", "all", size) for size in amounts]
    rows = [
        [
            said(size),
            *(amount(cost.wall), amount(cost.found["slowest"]), amount(cost.cpu)),
            amount(1_000 * cost.found["again"]),
        ]
        for size, cost in zip(amounts, costs, strict=True)
    ]
    firsts, again_s = [cost.wall for cost in costs], [cost.found["again"] for cost in costs]
    processor = growth(amounts, [cost.cpu for cost in costs])
    rows.append(["exponent", growth(amounts, firsts), "", processor, growth(amounts, again_s)])
    slowest = max(firsts)
    write(
        "start",
        "The first page",
        amounts,
        "From `shudu up` to the whole home page, on a home that was started before; the clock's seconds, as a person "
        "waits them, of three starts, and what all processes started had used of the processor by then. With so many "
        "assets in the catalogue, and an agreement for every tenth.",
        table(["assets", "first page s", "slowest of three s", "CPU s", "the same page again ms"], rows),
        f"Budget: 3 s ({'met' if slowest <= 3 else 'not met'}: {slowest:.1f} s).",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        if sys.argv[2] == "fill":
            fill(Path(sys.argv[4]), int(sys.argv[3]))
        else:
            report(child(int(sys.argv[3])))
    else:
        main()
