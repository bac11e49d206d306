"""The gate before every route: read the body within its limit, find out who calls, whether they may.

Order of refusals: 413 too large, 401 who, SDRS.0001 wrong project (0002: none), 403 SDRS.0003 - 0005 may not.
Handlers find the caller as `request.user`; the operation that the policy judges is the handler's `opt["operation"]`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import quote

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send

from opensdrs.api.request_id import request_id_of
from opensdrs.api.routes import PUBLIC
from opensdrs.domain.errors import refused
from opensdrs.iam.caller import Caller


class Authenticator(Protocol):
    """Tells who makes a request. Header names are lower-case; path and query are as they came over the wire."""

    async def authenticate(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> Caller:
        """Raises: APIGW.0301."""
        ...


class Gate(ASGIMiddleware):
    """See the module. `check_policy` raises SDRS.0003, 0004, 0005."""

    scopes = (ScopeType.HTTP,)

    def __init__(
        self, authenticator: Authenticator, check_policy: Callable[[Caller, str], None], max_body_bytes: int
    ) -> None:
        self._authenticator = authenticator
        self._check_policy = check_policy
        self._max_body_bytes = max_body_bytes

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let the request through, or raise Refused."""
        request = cast(dict[str, Any], scope)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request["headers"]}
        body = await _read_body(headers, receive, self._max_body_bytes)
        if (request["method"], request["path_template"]) not in PUBLIC:
            caller = await self._authenticator.authenticate(
                request["method"], _raw_path(request), request["query_string"].decode("latin-1"), headers, body,
                request_id_of(scope),
            )  # fmt: skip
            self._check(request, caller)
            request["user"] = caller
        await next_app(scope, _replay(body, receive), send)

    def _check(self, request: dict[str, Any], caller: Caller) -> None:
        project_id = request["path_params"].get("project_id")
        if project_id is not None and not caller.project_id:
            raise refused(
                "SDRS.0002",
                "the token is for no project",
                remedy="Ask for a token with the scope of the project in the path.",
            )
        if project_id is not None and project_id != caller.project_id:
            raise refused(
                "SDRS.0001",
                "the project in the path is not the one of the token",
                remedy="Use the project id that the token was issued for.",
            )
        operation = request["route_handler"].opt.get("operation")
        if operation is not None:
            self._check_policy(caller, operation)


def _raw_path(request: Mapping[str, Any]) -> str:
    raw: bytes | None = request.get("raw_path")
    if raw is None:
        return quote(request["path"])
    return raw.decode("latin-1").partition("?")[0]


async def _read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """Raises: APIGW.0201 as soon as the body is known to be too large."""
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise refused("APIGW.0201")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = cast(HTTPReceiveMessage, await receive())
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise refused("APIGW.0201")
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, then what really comes (a disconnect)."""
    is_given = False

    async def replay() -> Any:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
