"""One word for one thing: what people read keeps to docs/glossary.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "shudu"
PAIR = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \| [^|]+ \|$", re.MULTILINE)
# Words one is tempted to use, and the glossary's word for the same thing.
ELSEWHERE = {
    "台账": "存证账本",
    "总账": "存证账本",
    "沙盒": "数据沙箱",
    "隐私沙箱": "数据沙箱",
    "洁净室": "数据沙箱",
    "买方": "需方",
    "买家": "需方",
    "采购方": "需方",
    "卖方": "数据提供方",
    "供方": "数据提供方",
    "数据方": "数据提供方",
    "模型方": "模型提供方",
    "平台方": "运营机构",
    "运营方": "运营机构",
    "收据": "存证回执",
    "凭据": "存证回执",
    "检查站": "检查点",
    "打分卡": "评分卡",
    "实体键": "主体键",
    "数据专管员": "数据专员",
}


def pairs() -> dict[str, str]:
    """English → Chinese, as the glossary has them."""
    found = dict(PAIR.findall((ROOT / "docs" / "glossary.md").read_text("utf-8")))
    return {english: chinese for english, chinese in found.items() if english not in ("English", "---")}


@cache
def said() -> list[tuple[str, str]]:
    return list(sentences())


def sentences() -> Iterator[tuple[str, str]]:
    """(where, text) of every Chinese sentence a person may read: strings of the code but its docstrings, and pages."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node.value
    for path in sorted(SOURCE.rglob("*.html")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            yield f"{path.relative_to(SOURCE)}:{number}", line


def test_the_glossary_has_both_words_for_each_thing() -> None:
    found = pairs()
    assert len(found) > 20
    for english, chinese in found.items():
        assert re.search(r"[A-Za-z]", english), english
        assert re.search(r"[\u4e00-\u9fff]", chinese), chinese


@pytest.mark.parametrize(("wrong", "right"), ELSEWHERE.items())
def test_people_read_the_glossarys_word(wrong: str, right: str) -> None:
    assert any(right in chinese for chinese in pairs().values()), f"the glossary does not have {right}"
    # A longer word may contain a shorter wrong one, as 提供方 contains 供方.
    words = [word for chinese in pairs().values() for word in re.split(r"[ ·（）]+", chinese)]
    allowed = [word for word in [*words, "提供方"] if wrong in word]
    used = []
    for where, text in said():
        for word in allowed:
            text = text.replace(word, "")
        if wrong in text:
            used.append(where)
    assert used == [], f"say {right}, not {wrong}"
