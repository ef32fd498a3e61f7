"""cli — the `shudu` command. It opens the home in its own process, so whoever runs it *is* the operator.

`--as` names the organisation a command acts for; rules still run, and every entry says `via: console`.
May import: every room's actions, queries and types.
"""
