"""identity — who there is: organisations, the people in them, and what each may act as.

Nouns: party 主体, role, person, membership, token, unified social credit code.
Every request is somebody's: `queries.actor_for` and `queries.actor_of_token` make the `Actor` that every rule asks.
Names and codes of parties are a public register; people's names and passwords never leave this room's tables,
and never enter an event.
May import: policy.
"""
