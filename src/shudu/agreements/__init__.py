"""agreements — under which terms an asset may be used, who offered them, and what was concluded.

Nouns: terms (`use` + `onward`), proposed use, offer, offer line, agreement.
Terms are a closed, typed, versioned schema with three operations: `evaluate` (explained), `covers` and `meet`.
An offer's lines are drafted together and accepted one organisation at a time; concluding a line makes an agreement
with exactly one assigner, one assignee and one asset.
May import: policy, ledger; of identity, cases, accounts, lake and catalog their actions, queries and types.
"""
