"""The one renderer of errors: everything that is raised becomes a body that every known client can read.

`{"error": {"message", "code"}, "error_code", "error_msg", "request_id"}`: the vendor's form and the gateway's in one
(CONTRACT 0.5, MATRIX A2).
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from opensdrs.api.request_id import request_id_of
from opensdrs.api.settings import ApiSettings
from opensdrs.domain.errors import ErrorKind, Refused, SiteFault, kind

_LOG = logging.getLogger("opensdrs.api")
_NOT_FOUND = frozenset({"SDRS.1013", "SDRS.1320", "SDRS.1608", "SDRS.1902"})
# Where the catalogue's status is not what the answer has: MATRIX A12, A13.
_STATUS: Mapping[str, int] = {"SDRS.0003": 403, "SDRS.0004": 403, "SDRS.0005": 403, "SDRS.0408": 404}
_BY_STATUS: Mapping[int, str] = {401: "APIGW.0301", 404: "APIGW.0101", 405: "APIGW.0106", 413: "APIGW.0201"}

AnyRequest = Request[Any, Any, Any]
Handler = Callable[[AnyRequest, Any], Response[bytes]]


def error_body(code: str, message: str, request_id: str) -> bytes:
    """Return the body of an error."""
    return msgspec.json.encode(
        {
            "error": {"message": message, "code": code},
            "error_code": code,
            "error_msg": message,
            "request_id": request_id,
        }
    )


def handlers(settings: ApiSettings) -> dict[int | type[Exception], Handler]:
    """Return the exception handlers of the application."""

    def refused(request: AnyRequest, error: Refused) -> Response[bytes]:
        status = _STATUS.get(error.kind.code, error.kind.http)
        if error.kind.code in _NOT_FOUND:
            status = settings.not_found_status
        return _answer(request, error.kind.code, status, error.text)

    return {Refused: refused, SiteFault: _site_fault, HTTPException: _http, Exception: _unexpected}


def _answer(
    request: AnyRequest, code: str, status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    body = error_body(code, message, request_id_of(request.scope))
    return Response(content=body, status_code=status, media_type="application/json", headers=dict(headers or {}))


def _site_fault(request: AnyRequest, error: SiteFault) -> Response[bytes]:
    _LOG.warning("api.site_fault", extra=_fields(request), exc_info=error)
    row = kind("SDRS.0008" if error.is_transient else "SDRS.0013")
    return _answer(request, row.code, row.http, f"{row.message}. {error}")


def _http(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """What the framework refuses: unknown routes and methods, bodies that are too large, malformed requests."""
    row = kind(_BY_STATUS.get(error.status_code, "OPENSDRS.0400" if error.status_code < 500 else "SDRS.0013"))
    if error.status_code >= 500:
        return _unexpected(request, error)
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else {}
    return _answer(request, row.code, error.status_code, _text(row, error), headers)


def _allowed(request: AnyRequest) -> list[str]:
    """Return the methods that the path has."""
    path = request.scope["path"].rstrip("/") or "/"
    return sorted({method for route in request.app.routes if _matches(route.path, path) for method in route.methods})


def _matches(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        part.startswith("{") or part == actual for part, actual in zip(wanted, given, strict=True)
    )


def _text(row: ErrorKind, error: HTTPException) -> str:
    if row.code != "OPENSDRS.0400":
        return f"{row.message}. {row.remedy}"
    return f"{row.message}. {error.detail} {error.extra or ''}".strip()


def _unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    _LOG.error("api.unexpected", extra=_fields(request), exc_info=error)
    row = kind("SDRS.0013")
    return _answer(request, row.code, row.http, f"{row.message}. Tell the operator the request id.")


def _fields(request: AnyRequest) -> dict[str, str]:
    return {"request_id": request_id_of(request.scope), "method": request.method, "path": request.scope["path"]}
