"""First in the sandbox, before the worker: `launch.py PLAN WORKER`, standard library only.

The limits are set here, hard, rather than around bubblewrap, which then needs none of them itself; a job without
capabilities cannot raise them again. Then Landlock. The worker is given `seal`, to call when it has imported all it
needs. PLAN is JSON: {"limits": {"AS": [soft, hard], …}, "readable": […], "filter": base64 of BPF}.
"""

import base64
import json
import os
import resource
import sys

MEMORY_EXIT = 77
NO_WALLS_EXIT = 78


def main() -> None:
    plan = json.loads(sys.argv[1])
    for name, limit in plan["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), tuple(limit))
    sys.argv = sys.argv[2:]
    sys.path.append("/in")
    import walls  # type: ignore[import-not-found]

    sys.path[-1] = "/site"
    try:
        walls.confine(plan["readable"])
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(NO_WALLS_EXIT)
    rules = base64.b64decode(plan["filter"])
    try:
        with open(sys.argv[0], encoding="utf-8") as file:
            code = compile(file.read(), sys.argv[0], "exec")
        given = {"__name__": "__main__", "__file__": sys.argv[0], "seal": lambda: walls.seal(rules)}
        exec(code, given)  # noqa: S102 - the worker is bound by the sandbox
        sys.stdout.flush()
        os._exit(0)  # taking modules down again would take longer than a small job
    except MemoryError:
        os._exit(MEMORY_EXIT)


if __name__ == "__main__":
    main()
