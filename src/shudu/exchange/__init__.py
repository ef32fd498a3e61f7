"""exchange — the market: orders, their runs, settlement.

Nouns: order, order run, settlement.
An order concludes one agreement per line, all or none, and reserves one run and its price; a closed run captures and
splits the money; a failed one releases it. Prices and splits are the offer's.
May import: policy, ledger, identity, cases, accounts, lake, catalog, agreements, runs, govern, cleanroom.
"""
