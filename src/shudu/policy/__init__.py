"""policy — the grammar: who may do what, what is recorded of it, and how both are said.

Nouns: permission, event, actor, decision, rule, action, outbox, clock, id.
An *action* is the only way a row changes: it asks `require`, writes, and leaves one outbox row, in one transaction.
The ledger's sequencer and the dispatcher of events both read that outbox.
May import: nothing of ours. Everything may import it.
"""
