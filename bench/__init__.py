"""bench — what the house costs, measured side by side with what it is built from.

`make bench` runs every file here in a process of its own, and each writes its section of docs/benchmarks.md. Sizes are
a factor of ten apart: `make bench ARGS=ledger=10k,100k,1m` chooses others, `BENCH_SIZES` for all files at once. Nothing
here is imported by the application.
"""
