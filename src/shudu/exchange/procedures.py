"""The procedure of an order, as data."""

from shudu.cases.procedures import Procedure, Transition

ORDER = Procedure(
    name="order",
    version=1,
    initial="placed",
    transitions=(
        Transition("start", ("placed", "settled", "failed"), "running"),
        Transition("settle", ("running",), "settled"),
        Transition("fail", ("running",), "failed"),
    ),
    final=(),
)
