"""accounts — what is owed, locked and used up: money, run counts, quotas, in one double-entry book.

Nouns: account, unit, transfer, posting, reservation, deposit.
Reserve → commit or release is the whole of it. Every amount is a whole number of its unit (money: 分), every transfer
sums to zero, and `posting.post` is the only place that writes a balance.
Funds are simulated claims: no payment leaves or enters this house.
May import: policy, identity.
"""
