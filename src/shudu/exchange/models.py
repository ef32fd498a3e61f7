"""Orders, what they concluded, and the money each of their runs has reserved."""

from django.db import models

from shudu.policy import clock, ids


def new_order() -> str:
    return ids.new("order")


class Order(models.Model):
    """A buyer's order of an offer. Its state is its case's."""

    id = models.CharField(primary_key=True, max_length=64, editable=False, default=new_order)
    offer = models.CharField(max_length=64, db_index=True)
    buyer = models.CharField(max_length=64, db_index=True)
    purpose = models.CharField(max_length=40)
    price_fen = models.BigIntegerField()
    created = models.DateTimeField(default=clock.now)


class OrderLine(models.Model):
    """Which agreement an order concluded for which line."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    role = models.CharField(max_length=20)
    agreement = models.CharField(max_length=64, unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "role"], name="order_line_once")]


class OrderRun(models.Model):
    """One run an order has paid or will pay for: its reservations, and whether they are settled.

    The first is made with the order and has no run yet; later ones are made when their run starts.
    """

    class State(models.TextChoices):
        RESERVED = "reserved"
        STARTED = "started"
        SETTLED = "settled"
        RELEASED = "released"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="runs")
    run = models.CharField(max_length=64, unique=True, null=True)
    money = models.CharField(max_length=64, blank=True, default="")
    counts = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RESERVED)
    split_fen = models.JSONField(default=dict)
    restarts = models.CharField(max_length=64, unique=True, null=True)  # the failed run this one is started for again
