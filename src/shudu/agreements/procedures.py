"""The procedure of an offer, as data."""

from shudu.cases.types import Procedure, Transition
from shudu.policy.types import Text

# Who may accept or withdraw hangs on the offer's lines, so the actions ask the rules; the table says when.
OFFER = Procedure(
    name="offer",
    version=1,
    initial="drafted",
    transitions=(
        Transition("accept", "drafted", "drafted"),
        Transition("go_live", "drafted", "live"),
        Transition("withdraw", ("drafted", "live"), "withdrawn"),
    ),
    final=("withdrawn",),
    words={
        "drafted": Text("待各方接受", "drafted"),
        "live": Text("已上架", "live"),
        "withdrawn": Text("已下架", "withdrawn"),
        "accept": Text("接受", "accept"),
        "go_live": Text("上架", "go live"),
        "withdraw": Text("下架", "withdraw"),
    },
)
