"""Schemathesis: what the document says is what happens, and nothing anybody sends makes it fall over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi

from shudu.config.wsgi import application

from .conftest import Market

schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)


@schemathesis.serializer("application/partial-upload")
def part(context: Any, value: Any) -> bytes:
    """A part of an upload is bytes as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


CHECKS = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.response_headers_conformance,
    openapi.unsupported_method,
]


@pytest.fixture(autouse=True)
def _connected(db: None) -> Iterator[None]:
    """As Django's own test client does it: a call must not close the connection that holds the test's rows."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_does_what_its_document_says(case: Any, kept: Market) -> None:
    # Mostly a party with rows of its own; what is drawn for ids is now and then one that exists.
    for name, value in list((case.path_parameters or {}).items()):
        if name in kept.ids and isinstance(value, str) and len(value) % 2:
            case.path_parameters[name] = kept.ids[name]
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {kept.provider.secret}"}
    case.call_and_validate(checks=CHECKS)
