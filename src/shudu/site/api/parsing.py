"""JSON as it comes in: strictly (`policy.json_text`)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from shudu.policy import json_text


class Strict(Parser):
    """Raises ValueError for what cannot be read, and the root says it."""

    def parse_body(self, request: HttpRequest) -> Any:
        return json_text.read(request.body)
