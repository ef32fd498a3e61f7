"""First in the sandbox, before the worker: `launch.py LIMITS WORKER ARGUMENT…`, standard library only.

The limits are set here, hard, rather than around bubblewrap, which then needs none of them itself; a job without
capabilities cannot raise them again. LIMITS is JSON: {"AS": [soft, hard], …}.
"""

import json
import os
import resource
import sys

MEMORY_EXIT = 77


def main() -> None:
    for name, limit in json.loads(sys.argv[1]).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), tuple(limit))
    sys.argv = sys.argv[2:]
    sys.path.append("/site")
    try:
        with open(sys.argv[0], encoding="utf-8") as file:
            code = compile(file.read(), sys.argv[0], "exec")
        exec(code, {"__name__": "__main__", "__file__": sys.argv[0]})  # noqa: S102 - the worker is bound by the sandbox
        sys.stdout.flush()
    except MemoryError:
        os._exit(MEMORY_EXIT)


if __name__ == "__main__":
    main()
