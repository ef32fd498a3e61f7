"""cleanroom — running models we do not trust on data nobody may take away.

Nouns: model, sandbox, job, release class, check.
Untrusted code gives one number per row and nothing else; trusted code outside the sandbox groups, thresholds, releases.
May import: policy, ledger, identity, cases, accounts, lake, catalog, agreements, runs.
"""
