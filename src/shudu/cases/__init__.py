"""cases — pieces of work that move through a declared procedure 事项: orders, offers, requests, approvals.

Nouns: procedure, state, transition, case 办件, step, deadline.
A procedure is data: which states there are, which transition leads where, and who may take it. One engine runs them
all, and draws them for the docs. A running case keeps the version of the procedure it was opened under.
May import: policy, identity.
"""
