"""catalog — what there is: assets, what they are bound to, their versions, and who holds which right in them.

Nouns: asset, binding, version, right, level, code.
The Version row, committed in the publishing action's transaction, is the only publish point: files
without one do not exist.
May import: policy, ledger, identity, cases, accounts, lake.
"""
