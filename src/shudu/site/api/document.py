"""The OpenAPI document: what the rooms say of their resources, and what the root adds to every one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from .problems import MEDIA_TYPE, Problem
from .root import api
from .wording import TITLES

PREFIX = "/api/v1/"
_ALWAYS = (400, 401, 403, 404, 409, 422, 429, 500, 503)
# Writing that says by itself whether it was done already: a part by its offset.
KEYLESS = ("append_upload",)
_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "每项新请求一个新的键，重试用同一个。A new one for each new request, the same one to retry it.",
}
_KNOWN = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
    "description": "已有表示的 ETag。The ETag of the representation you have.",
}
_HEADERS = {
    name: {"schema": {"type": "string"}, "description": description}
    for name, description in {
        "ETag": "此表示的标识。Names this representation.",
        "Link": "下一页，若有。The next page, if there is one.",
        "Location": "新资源的位置。Where the new resource is.",
    }.items()
}


@cache
def text() -> bytes:
    """The document as it is served and as the golden file keeps it."""
    return (json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1, as plain JSON."""
    made: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=PREFIX)))
    components = made["components"]
    problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    components["schemas"].update(problem.pop("$defs"), Problem=problem)
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    components["responses"] = {
        f"Problem{status}": {"description": f"{title.zh} {title.en}", "content": {MEDIA_TYPE: schema}}
        for status, title in TITLES.items()
    }
    components["responses"]["Problem429"]["headers"] = {
        "Retry-After": {"schema": {"type": "integer"}, "description": "几秒后再来。In how many seconds to come back."}
    }
    for _, method, operation in operations(made):
        _complete(method, operation)
    _settle(components["schemas"])
    return made


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (path, method, operation)."""
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def changes(method: str, operation: dict[str, Any]) -> bool:
    """Whether an operation changes something, and so needs a writing token and a key."""
    return method != "get" and operation["operationId"] not in ("verify_receipt", *KEYLESS)


def _settle(part: Any) -> None:
    """Put the defaults that are sets in order: a set has another in every process."""
    if isinstance(part, dict):
        if part.get("uniqueItems") and "default" in part:
            part["default"] = sorted(part["default"])
        for each in part.values():
            _settle(each)
    elif isinstance(part, list):
        for each in part:
            _settle(each)


def _complete(method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    done = next(answer for status, answer in responses.items() if status.startswith("2"))
    paged = any(parameter["name"] == "after" for parameter in operation["parameters"])
    if changes(method, operation):
        operation["parameters"].append(_KEY)
    headers = ["ETag"] if method == "get" else []
    if "201" in responses or "202" in responses:
        headers.append("Location")
    done["headers"] = {name: _HEADERS[name] for name in [*headers, *(["Link"] if paged else [])]}
    if method == "get" and operation["operationId"] != "download_result":
        operation["parameters"].append(_KNOWN)
        responses["304"] = {"description": "Not Modified"}
    for status in (
        *_ALWAYS,
        *((413, 507) if "requestBody" in operation else ()),
        *((415,) if method == "patch" else ()),
    ):
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
