"""collect — how data comes in by itself: pulled from a source, or pushed as uploads, batches and offline packages.

Nouns: source, survey, feed, refresh, upload, batch, drop folder, package, sender's key.
Whatever comes in becomes a version of an asset through the catalogue's own actions. This room knows where it came
from: the channel, the legal basis, the period, who sent it, and the digest it had on arrival.
May import: policy, ledger, identity, cases, accounts, lake, catalog, agreements, runs, govern, cleanroom.
"""
