"""Holds every answer of the API tests against the API document: no field more, none less, each of its type.

`check` is a hook of the tests' HTTP clients, so that what the document promises is compared with what really comes.
"""

import re
from typing import Any

import httpx
import msgspec

from opensdrs.api import answers
from opensdrs.api.documents import DOCUMENTS
from opensdrs.api.routes import ROUTES, Route

_PATTERNS = sorted(
    ((route, re.compile(r"/v1/[^/]+" + re.sub(r"\{[^}]*\}", "[^/]+", route.path))) for route in ROUTES),
    key=lambda row: row[0].path.count("{"),
)


def find_route(method: str, path: str) -> Route | None:
    """Return the route that a request takes; fixed words win over parameters."""
    return next((route for route, regex in _PATTERNS if route.method == method and regex.fullmatch(path)), None)


async def check(response: httpx.Response) -> None:
    """Compare an answer with the document. Use it as a response hook."""
    await response.aread()
    route = find_route(response.request.method, response.request.url.raw_path.decode().partition("?")[0])
    if response.status_code >= 400:
        _compare(response.json(), answers.Error, f"refusal {response.status_code}")
    elif route is not None:
        assert response.status_code == route.success, route
        _compare(response.json() if response.content else None, DOCUMENTS[route.operation].answer, route.operation)


def _compare(found: Any, kind: Any, where: str) -> None:
    if kind is None:
        assert found is None, where
    elif isinstance(kind, dict):
        assert list(found) == list(kind), where
        for key, inner in kind.items():
            _compare(found[key], inner, f"{where}.{key}")
    else:
        assert msgspec.to_builtins(msgspec.convert(found, kind, strict=True)) == found, where
