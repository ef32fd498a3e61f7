"""Names, titles and opinions as they are kept: NFC, and nothing in them that is not seen or reads differently than it
looks.

Refused: controls and line ends (in `lines`, all but line ends and tabs), everything of Unicode's category Cf (bidi
controls, zero-width signs, tag characters, byte order marks), halves of surrogate pairs, private use and unassigned
code points. Planes 2 and 3 are ideographs' own: a rare name's sign survives even where this Python's tables are older
than the sign. Combining marks and variation selectors survive.
"""

from __future__ import annotations

import unicodedata

from .types import Text

_REFUSED = {
    "Cc": Text("控制字符", "a control character"),
    "Cf": Text("不可见的格式字符", "an invisible formatting sign"),
    "Cn": Text("未定义的字符", "a code point that stands for nothing"),
    "Co": Text("私有区字符", "a private-use sign"),
    "Cs": Text("不成对的代理字符", "half of a surrogate pair"),
    "Zl": Text("换行符", "a line end"),
    "Zp": Text("换行符", "a line end"),
}


def clean(text: str, *, lines: bool = False) -> str:
    """NFC without outer blanks; ValueError in both languages (`中文 / English`) for what is refused, or nothing left.

    The message names the sign by its code point only, never the text it stands in.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise ValueError("不能为空 / it is empty")
    for sign in text:
        kind = unicodedata.category(sign)
        if kind not in _REFUSED or (lines and sign in "\n\r\t") or (kind == "Cn" and _ideographs(sign)):
            continue
        said = _REFUSED[kind]
        raise ValueError(f"含有{said.zh} U+{ord(sign):04X}，请删去 / it holds {said.en}, U+{ord(sign):04X}; remove it")
    return text


def clean_lines(text: str) -> str:
    """The same for text of several lines."""
    return clean(text, lines=True)


def _ideographs(sign: str) -> bool:
    return 0x20000 <= ord(sign) <= 0x3FFFF and ord(sign) & 0xFFFF < 0xFFFE
