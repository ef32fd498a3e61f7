"""A program that works on a home whose rows lie in PostgreSQL, many threads at once; prints what came of it as JSON.

python races.py reserve | idempotent | accept | publish | sequence   (SHUDU_HOME and SHUDU_DATABASE_URL are set)
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from shudu.cli.house import open_home

open_home(None)

# ruff: noqa: E402  (models need the settings)
from django.db import connection

from shudu.accounts import actions as accounts
from shudu.accounts import queries as books
from shudu.catalog import actions as catalog
from shudu.catalog.models import Asset
from shudu.catalog.types import PublishTable
from shudu.exchange import actions as exchange
from shudu.exchange.models import Order
from shudu.exchange.types import PlaceOrder
from shudu.identity import queries as identity
from shudu.ledger import queries as ledger
from shudu.ledger.models import Entry, TreeHead
from shudu.ledger.sequencer import sequence
from shudu.policy.models import Handled, Outbox
from shudu.policy.outbox import dispatch
from shudu.policy.types import ShuduError

AT_ONCE = 8


def together(work: Callable[[int], Any]) -> list[Any]:
    """What `work` answers in so many threads that begin together; errors of ours as their code."""
    gate = threading.Barrier(AT_ONCE)

    def one(number: int) -> Any:
        try:
            gate.wait(30)
            return work(number)
        except ShuduError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def parties(words: list[str]) -> list[Any]:
    return [identity.actor_for(word) for word in words]


def reserve(buyer: str, offer: str) -> Any:
    """More orders at once than there is money for."""
    (actor,) = parties([buyer])
    request = PlaceOrder(offer=offer, purpose="research")
    answers = together(lambda _: type(exchange.place(actor, request)).__name__)
    left = books.balance(buyer, "CNY.fen")
    return {"answers": Counter(answers), "left": left.available, "drift": books.drift(), "books": books.books()}


def idempotent(buyer: str, offer: str) -> Any:
    """The same order under the same key, and other orders under that key, at once."""
    (actor,) = parties([buyer])

    def place(number: int) -> str:
        request = PlaceOrder(offer=offer, purpose="research" if number % 4 else "statistics")
        return str(exchange.place(actor, request, idempotency_key="once").id)

    before = Order.objects.count()
    return {"answers": Counter(together(place)), "made": Order.objects.count() - before}


def publish(owner: str, file: str) -> Any:
    """Codes count an owner's assets; at once they must still be different."""
    (actor,) = parties([owner])
    together(lambda _: catalog.publish(actor, PublishTable(source=Path(file), title="客户")).id)
    codes = list(Asset.objects.filter(owner=owner).values_list("code", flat=True))
    return {"assets": len(codes), "codes": len(set(codes))}


def sequencing(operator: str) -> Any:
    """Deposits, deliveries and places in the log, all at once."""
    (actor,) = parties([operator])

    def work(number: int) -> int:
        for _ in range(10):
            accounts.deposit(actor, operator, 1)
            if number % 2:
                sequence(7)
            else:
                dispatch(7)
        return 0

    together(work)
    while sequence() + dispatch():
        pass
    heads = list(TreeHead.objects.order_by("size").values_list("size", flat=True))
    return {
        "unsequenced": Outbox.objects.filter(sequenced=False).count(),
        "undelivered": Outbox.objects.filter(dispatched=False).count(),
        "entries": Entry.objects.count(),
        "outbox": Outbox.objects.count(),
        "size": heads[-1],
        "heads_once": len(heads) == len(set(heads)),
        "handled_once": Handled.objects.count() == Handled.objects.values("outbox", "handler").distinct().count(),
        "findings": [one.where for one in ledger.check()],
        "vendor": connection.vendor,
    }


WORK = {"reserve": reserve, "idempotent": idempotent, "publish": publish, "sequence": sequencing}
print(json.dumps(WORK[sys.argv[1]](*sys.argv[2:])))
