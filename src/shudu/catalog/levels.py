"""Levels of data: the national classes of GB/T 43697-2024 with the local scale L1–L6 beneath them."""

from __future__ import annotations

from dataclasses import dataclass

from shudu.policy.types import Decision, Text


@dataclass(frozen=True, slots=True)
class Level:
    """A local level, its name, and the national class it falls in."""

    code: str
    name: Text
    national: Text


_GENERAL = Text("一般数据", "general data")
LEVELS = {
    "L1": Level("L1", Text("公开", "public"), _GENERAL),
    "L2": Level("L2", Text("内部", "internal"), _GENERAL),
    "L3": Level("L3", Text("敏感", "sensitive"), _GENERAL),
    "L4": Level("L4", Text("高敏感", "highly sensitive"), _GENERAL),
    "L5": Level("L5", Text("重要", "important"), Text("重要数据", "important data")),
    "L6": Level("L6", Text("核心", "core"), Text("核心数据", "core data")),
}
DEFAULT = "L2"


def accepts(level: str) -> Decision:
    """May an asset of this level be on the platform at all?"""
    if level == "L6":
        return Decision.deny(
            "level.core",
            Text("核心数据（L6）不得进入本平台。", "Core data (L6) is never accepted here."),
            Text(
                "请按核心数据管理要求另行处置，不要上传。", "Handle it under the rules for core data; do not upload it."
            ),
        )
    if level not in LEVELS:
        return Decision.deny(
            "level.unknown",
            Text(f"没有“{level}”这个级别。", f"There is no level “{level}”."),
            Text("可选 L1 至 L5。", "Choose from L1 to L5."),
        )
    return Decision.allow("level.accepted", LEVELS[level].name)


def needs_review(level: str) -> bool:
    """Important data may be used only after a recorded review."""
    return level == "L5"


def needs_encryption(level: str) -> bool:
    """Level 3 and above is stored encrypted under a key of its own."""
    return level >= "L3"
