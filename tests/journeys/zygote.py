"""Opens a home once, then forks for each command: the same command as in a fresh process, without its imports.

python zygote.py        reads {"words", "cwd", "env", "out", "err"} a line, answers with the exit code
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def carry_out(order: dict[str, Any]) -> None:
    os.chdir(order["cwd"])
    os.environ.update(order["env"])
    for name, descriptor in (("out", 1), ("err", 2)):
        file = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    sys.argv = ["shudu", *order["words"]]
    from shudu.cli.main import run

    run()


def main() -> None:
    from shudu.cli.house import open_home

    open_home(None)
    from django.db import connection

    connection.close()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 0
            try:
                carry_out(json.loads(line))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


if __name__ == "__main__":
    main()
