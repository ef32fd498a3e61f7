"""The real web application for granian, which kills its process at a point that a request names.

`X-Kill-At: 7` ends the process by SIGKILL at the seventh commit, rename or fsync since this request came in. Every
answer says in `X-Points` how many it passed. Nothing of this is in the application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crash.driver import Points
from shudu.config.wsgi import application as real

points = Points(0)
points.install()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    points.passed, points.at = 0, int(environ.get("HTTP_X_KILL_AT", "0"))

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        return start_response(status, [*headers, ("X-Points", str(points.passed))], *more)

    return real(environ, start)
