"""security — what keeps the house safe beyond its walls: backups of the home, and coming back from one.

Nouns: backup, manifest, restore.
A backup is the rows as of one moment, every file they vouch for, and a signed manifest of digests; never a private key.
A restored home opens a log of its own that pins the last checkpoint held of the old one.
May import: every room below it.
"""
