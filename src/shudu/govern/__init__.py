"""govern — what a table is worth knowing about: is its key one, which columns need care, which level suits it.

Nouns: observer, detector, finding, level suggestion.
It watches each new table while `lake` writes it. A suggestion is advice: the level is the owner's to declare, and the
department's to review.
May import: policy, ledger, identity, cases, accounts, lake, catalog, agreements, runs.
"""
