"""ledger — the record that cannot be rewritten afterwards: a transparency log, and receipts anyone checks offline.

Nouns: log, entry, leaf, disclosure, tree head, tile, checkpoint, signer, proof, receipt.
Every action's outbox row becomes one entry. Its leaf holds salted commitments only, never a value; the salts lie in a
table of their own. Formats are those of C2SP (tlog-tiles, tlog-checkpoint, signed-note, tlog-proof) over RFC 6962.
Without Django: merkle, tiles, note, signer, leaf, proof, receipt.
What a receipt proves: the operator logged this, then, and has not changed it since. Not what was computed.
May import: policy. Everything above may import actions, queries, receipt, sequencer.sequence and integrity.check.
"""
