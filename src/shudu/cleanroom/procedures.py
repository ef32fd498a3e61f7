"""The procedure of a held release, as data."""

from shudu.cases.types import Procedure, Transition
from shudu.policy.types import Role, Text

# The case belongs to the data's owner: it decides, and neither the buyer, nor the modeller, nor the operating company.
RELEASE = Procedure(
    name="release",
    version=1,
    initial="held",
    transitions=(
        Transition("approve", "held", "approved", by=("owner",)),
        Transition("refuse", "held", "refused", by=("owner",)),
        Transition("lapse", "held", "lapsed", by=(Role.SYSTEM,)),
    ),
    final=("approved", "refused", "lapsed"),
    words={
        "held": Text("待放行审核", "held for a person"),
        "approved": Text("已准予放行", "approved"),
        "refused": Text("不予放行", "refused"),
        "lapsed": Text("逾期失效", "lapsed"),
        "approve": Text("准予放行", "approve"),
        "refuse": Text("不予放行", "refuse"),
        "lapse": Text("逾期", "lapse"),
    },
)
