"""The try-it page: every operation with a command to paste, made on the server from the OpenAPI document."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from shudu.policy.types import Text

from . import document

GROUPS = {
    "parties": Text("主体", "Parties"),
    "tokens": Text("令牌", "Tokens"),
    "accounts": Text("资金（模拟）", "Money (simulated)"),
    "assets": Text("数据资源", "Assets"),
    "quality": Text("数据质量", "Quality"),
    "corrections": Text("更正清单", "Correction lists"),
    "models": Text("模型", "Models"),
    "uploads": Text("上传", "Uploads"),
    "batches": Text("批次与数据包", "Batches and packages"),
    "sources": Text("来源库与供数", "Sources and feeds"),
    "offers": Text("上架", "Offers"),
    "orders": Text("订单", "Orders"),
    "agreements": Text("协议", "Agreements"),
    "runs": Text("计算任务", "Runs"),
    "releases": Text("待放行结果", "Held releases"),
    "results": Text("交付结果", "Results"),
    "receipts": Text("存证回执", "Receipts"),
}


@dataclass(frozen=True)
class Field:
    """One thing to fill in before an operation can be tried: where it goes, and its value when that is known."""

    name: str
    place: str  # path, query, body (JSON), part (a form's text) or file
    required: bool
    value: str = ""


@dataclass(frozen=True)
class Shown:
    """One operation as the page shows it. `keyed`: it changes something, so trying it takes a key."""

    id: str
    method: str
    path: str
    name: Text
    command: str
    fields: tuple[Field, ...]
    keyed: bool


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every operation, by resource."""
    made = document.document()
    base = request.build_absolute_uri("/").rstrip("/")
    groups: dict[str, list[Shown]] = {name: [] for name in GROUPS}
    for path, method, operation in document.operations(made):
        name = Text(operation["x-summary-zh"], operation["summary"])
        command = _command(base + path, method, operation, made)
        fields = tuple(_fields(operation, made))
        keyed = document.changes(method, operation)
        shown_as = Shown(operation["operationId"], method.upper(), path, name, command, fields, keyed)
        groups[operation["tags"][0]].append(shown_as)
    shown = [(GROUPS[name], found) for name, found in groups.items()]
    return render(request, "api_reference.html", {"groups": shown, "base": f"{base}{document.PREFIX.rstrip('/')}"})


def _fields(operation: dict[str, Any], made: dict[str, Any]) -> Iterator[Field]:
    """What a person fills in to try an operation; the header fields the page sends by itself."""
    for parameter in operation["parameters"]:
        if parameter["in"] in ("path", "query"):
            value = (parameter["schema"].get("enum") or [""])[0] if parameter["in"] == "path" else ""
            yield Field(parameter["name"], parameter["in"], bool(parameter.get("required")), str(value))
    for name, sent in _parts(operation, made):
        kind = "body" if name == "" else "file" if sent == "FILE" else "part"
        yield Field(name, kind, True, "" if kind == "file" else json.dumps(sent, ensure_ascii=False, indent=1))


def _parts(operation: dict[str, Any], made: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What an operation is sent, by the name of its part, with an example; a JSON body has no name."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        yield "", operation.get("x-example") or _example(content["application/json"]["schema"], made)
    for name, schema in content.get("multipart/form-data", {}).get("schema", {}).get("properties", {}).items():
        yield name, operation["x-example"] if name == "fields" and "x-example" in operation else _example(schema, made)


def _command(address: str, method: str, operation: dict[str, Any], made: dict[str, Any]) -> str:
    """A curl command: values to fill in are written in capitals."""
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            value = (parameter["schema"].get("enum") or [parameter["name"].upper()])[0]
            address = address.replace("{" + parameter["name"] + "}", value)
    words = [["curl", address], ["-H", "Authorization: Bearer $TOKEN"]]
    if method != "get":
        words.insert(1, ["-X", method.upper()])
    if document.changes(method, operation):
        words.append(["-H", "Idempotency-Key: $(uuidgen)"])
    for name, sent in _parts(operation, made):
        body = json.dumps(sent, ensure_ascii=False)
        if name == "":
            words += [["-H", "Content-Type: application/json"], ["-d", body]]
        else:
            words.append(["-F", f"{name}=@FILE" if sent == "FILE" else f"{name}={body}"])
    if operation["operationId"] in ("download_result", "get_receipt"):
        words.append(["-OJ"])
    return " \\\n  ".join(" ".join(_quoted(word) for word in line) for line in words)


def _quoted(word: str) -> str:
    return f'"{word}"' if "$" in word else shlex.quote(word)


def _example(schema: dict[str, Any], made: dict[str, Any]) -> Any:
    """A value of that shape with its required parts only."""
    if "$ref" in schema:
        return _example(made["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], made)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    for several in ("allOf", "anyOf"):
        if several in schema:
            return _example(schema[several][0], made)
    if schema.get("format") == "binary":
        return "FILE"
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", [])
            return {name: _example(one, made) for name, one in schema.get("properties", {}).items() if name in wanted}
        case "array":
            return [_example(schema["items"], made)]
        case "integer":
            return schema.get("minimum", 1)
        case "string" if schema.get("format") == "date":
            return "2035-12-31"
    return (schema.get("enum") or [str(schema.get("title", "…")).upper()])[0]
