"""National codes of organisations: GB 32100-2015 (unified social credit code) and the GB 11714 code inside it."""

from __future__ import annotations

from shudu.policy.types import Invalid, Text

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_MEANT = {"I": "1", "O": "0", "Z": "2", "S": "5", "V": "U"}
_REMEDY = Text("请对照登记证照逐位核对这 18 位代码。", "Compare the 18 characters with the certificate.")


def uscc_check_digit(first17: str) -> str:
    """Character 18 for the 17 before it (GB 32100-2015): (31 - Σ value·3^(i-1)) mod 31.

    Raises `KeyError` for a character outside the alphabet, `ValueError` for another length.
    """
    total = sum(_VALUE[character] * weight for character, weight in zip(first17, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]


def organisation_check_digit(first8: str) -> str:
    """Character 9 of an organisation code (GB 11714): 11 - Σ value·weight mod 11, with 10 → X and 11 → 0."""
    total = sum(int(character, 36) * weight for character, weight in zip(first8, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def normalise(text: str) -> str:
    """Full-width to ASCII, lower to upper case, blanks removed."""
    narrow = "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in text)
    return "".join(narrow.split()).upper()


def check_uscc(text: str) -> str:
    """The normalised unified social credit code; raises `Invalid` saying which place is wrong and how."""
    code = normalise(text)
    if len(code) != 18:
        raise _wrong(
            f"统一社会信用代码应为 18 位，现为 {len(code)} 位。",
            f"A unified social credit code has 18 characters, this has {len(code)}.",
        )
    for place, character in enumerate(code, start=1):
        if character not in _VALUE:
            meant = _MEANT.get(character)
            raise _wrong(
                f"第 {place} 位“{character}”不在代码字符集内（不用 I、O、Z、S、V）。"
                + (f"是否应为“{meant}”？" if meant else ""),
                f"Character {place}, “{character}”, is not used in these codes (nor are I, O, Z, S, V)."
                + (f" Is it “{meant}”?" if meant else ""),
                place,
            )
        if 3 <= place <= 8 and not character.isdigit():
            raise _wrong(
                f"第 {place} 位“{character}”应为数字：第 3 至 8 位是行政区划代码。",
                f"Character {place}, “{character}”, must be a digit: characters 3 to 8 are the region (GB/T 2260).",
                place,
            )
    if code[17] != uscc_check_digit(code[:17]):
        raise _wrong(
            f"第 18 位校验码“{code[17]}”与前 17 位不符，其中至少有一位有误。",
            f"The check character “{code[17]}” (place 18) does not fit the 17 before it: at least one is wrong.",
            18,
        )
    return code


def doubts(code: str) -> tuple[Text, ...]:
    """What looks odd about a valid code without making it invalid.

    The embedded organisation code has a check of its own, but registers hold codes issued without heeding it, and
    GB 32100 already detects every single mistake; so a mismatch is worth a word and no refusal.
    """
    if organisation_check_digit(code[8:16]) == code[16]:
        return ()
    return (
        Text(
            "第 17 位与主体标识码（GB 11714）的校验规则不符，请再核对一遍。",
            "Character 17 does not fit the check of the organisation code (GB 11714); please compare it once more.",
        ),
    )


def make_uscc(region6: str, serial8: str, authority: str = "91") -> str:
    """A synthetic code with both checks right: authority and class (2), region (6), organisation serial (8)."""
    first17 = f"{authority}{region6}{serial8}{organisation_check_digit(serial8)}"
    return check_uscc(first17 + uscc_check_digit(first17))


def _wrong(zh: str, en: str, place: int | None = None) -> Invalid:
    return Invalid("identity.code", Text(zh, en), _REMEDY, {} if place is None else {"place": place})
