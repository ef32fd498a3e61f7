"""runs — bounded windows of governed use: the queue, the worker, meters, lineage.

Nouns: run, step, lease, input, output, meter.
The run row is the queue (`state, step, lease_until, attempt`); nothing else schedules anything. A kind of run is a list
of idempotent steps that an upper room registers; a step that a dead worker left is taken over when its lease ends.
May import: policy, ledger, identity, cases, accounts, lake, catalog, agreements.
"""
