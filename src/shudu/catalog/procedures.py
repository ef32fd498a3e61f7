"""The procedure of rows that were put aside, as data."""

from shudu.cases.types import Procedure, Transition
from shudu.policy.types import Text

# The case belongs to the table's owner. That some rows still do not fit is a step like any other, with its own moment.
CORRECTION = Procedure(
    name="correction",
    version=1,
    initial="open",
    transitions=(
        Transition("correct", "open", "open", by=("owner",)),
        Transition("finish", "open", "closed", by=("owner",)),
        Transition("erase", "open", "erased"),
    ),
    final=("closed", "erased"),
    words={
        "open": Text("有待更正的行", "rows to be corrected"),
        "closed": Text("已办结", "closed"),
        "erased": Text("随版本删除", "erased with its version"),
        "correct": Text("更正部分行", "correct some rows"),
        "finish": Text("全部处理完毕", "finish the last rows"),
        "erase": Text("删除版本", "erase the version"),
    },
)
