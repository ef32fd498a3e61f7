"""JSON as it comes in: UTF-8, numbers that are numbers, text that can be kept anywhere."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser


class Strict(Parser):
    """Raises ValueError for what JSON (RFC 8259) does not hold, halves of surrogate pairs and NUL; the root says it."""

    def parse_body(self, request: HttpRequest) -> Any:
        text = request.body.decode()
        value = json.loads(text, parse_constant=_no_number)
        if "\\u" in text:  # only an escape can bring these in
            said = json.dumps(value, ensure_ascii=False)
            said.encode()
            if "\\u0000" in said:
                raise ValueError("NUL")
        return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
