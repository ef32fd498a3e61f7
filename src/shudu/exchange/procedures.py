"""The procedure of an order, as data."""

from shudu.cases.types import Procedure, Transition
from shudu.policy.types import Role, Text

ORDER = Procedure(
    name="order",
    version=1,
    initial="placed",
    transitions=(
        Transition("cancel", ("placed", "settled", "failed"), "cancelled"),
        Transition("start", ("placed", "settled", "failed"), "running"),
        Transition("settle", "running", "settled", by=(Role.SYSTEM,)),
        Transition("fail", "running", "failed", by=(Role.SYSTEM,)),
    ),
    final=("cancelled",),
    words={
        "cancelled": Text("已取消", "cancelled"),
        "cancel": Text("取消", "cancel"),
        "placed": Text("已生效", "placed"),
        "running": Text("运行中", "running"),
        "settled": Text("已结算", "settled"),
        "failed": Text("未完成", "failed"),
        "start": Text("运行", "start a run"),
        "settle": Text("结算", "settle"),
        "fail": Text("释放预留", "release"),
    },
)
