"""`python -m shudu.cli` is `shudu`."""

from .main import run

run()
