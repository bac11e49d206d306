"""The agent's ASGI application: `POST /site/v1/<verb>`, one route for the whole table of verbs."""

import asyncio
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Litestar, Request, Response, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from opensdrs.domain.errors.kind import SiteFault, Superseded
from opensdrs.sites.base import Site
from opensdrs.sites.model import EventBatch
from opensdrs.sites.wire import (
    BODY_LIMIT_BYTES,
    PATH,
    REQUEST_ID_HEADER,
    SITE_HEADER,
    VERBS,
    WATCH_LIMIT_S,
    Verb,
    WireRefusal,
    encode_error,
    request_id,
)

_log = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class AgentApp:
    """The routes in front of one site.

    `stopping`, once set, ends every `watch` that waits, so that the server's shutdown has not to wait for them.
    """

    def __init__(self, site: Site, token: str) -> None:
        self._site = site
        self._token = token.encode()
        self.stopping = asyncio.Event()

    async def answer(self, request: Request[Any, Any, Any], verb_name: str) -> Response[bytes]:
        """Carry out one request; every outcome that a client can meet is decided here."""
        token = request_id.set(_take_request_id(request))
        try:
            refusal = self._find_refusal(request, verb_name)
            if refusal is not None:
                _log.warning("site.request.refused", extra={"verb": verb_name, "status": refusal[0]})
                return _respond(*refusal)
            return await self._perform(VERBS[verb_name], await request.body())
        finally:
            request_id.reset(token)

    def _find_refusal(self, request: Request[Any, Any, Any], verb_name: str) -> tuple[int, WireRefusal] | None:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            return 401, WireRefusal("the token is not this agent's")
        meant = request.headers.get(SITE_HEADER, self._site.name)
        if meant != self._site.name:
            return 421, WireRefusal(f"this is the agent of {self._site.name}, not of {meant}")
        if verb_name not in VERBS:
            return 404, WireRefusal(f"there is no verb {verb_name[:64]!r}")
        return None

    async def _perform(self, verb: Verb, body: bytes) -> Response[bytes]:
        try:
            parameters = msgspec.structs.asdict(msgspec.json.decode(body, type=verb.parameters))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _respond(400, WireRefusal(f"{verb.name}: {error}"))
        started = time.monotonic()
        try:
            result = await self._call(verb, parameters)
        except (SiteFault, Superseded) as fault:
            _log.warning("site.verb.failed", extra=_outcome(verb, started) | {"error": str(fault)})
            return _respond(*encode_error(fault))
        except Exception as bug:  # noqa: BLE001  # the edge: a bug of the driver becomes an answer and a traceback
            _log.exception("site.verb.crashed", extra=_outcome(verb, started))
            return _respond(500, WireRefusal(f"{verb.name}: {type(bug).__name__}; the agent's log has the traceback"))
        _log.debug("site.verb.done", extra=_outcome(verb, started))
        return _respond(200, result)

    async def _call(self, verb: Verb, parameters: dict[str, Any]) -> Any:
        if verb.name == "watch":
            return await self._watch(**parameters)
        return await getattr(self._site, verb.name)(**parameters)

    async def _watch(self, run_id: str, after_seq: int, wait_s: float) -> EventBatch:
        wait_s = max(0.0, min(wait_s, WATCH_LIMIT_S))
        watching = asyncio.ensure_future(self._site.watch(run_id, after_seq, wait_s))
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return watching.result()
            return await self._site.watch(run_id, after_seq, 0.0)
        finally:
            watching.cancel()
            stopping.cancel()


def build_app(
    site: Site, token: str, *, close: Callable[[], Awaitable[None]] | None = None
) -> tuple[Litestar, asyncio.Event]:
    """Return the application and the event that ends waiting requests; `close` is called at its shutdown.

    Build it inside the event loop that serves it.
    """
    agent = AgentApp(site, token)

    @post(f"{PATH}/{{verb_name:str}}", status_code=200, media_type="application/json")
    async def perform(request: Request[Any, Any, Any], verb_name: FromPath[str]) -> Response[bytes]:
        return await agent.answer(request, verb_name)

    async def shut_down() -> None:
        if close is not None:
            await close()

    app = Litestar(
        route_handlers=[perform],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=BODY_LIMIT_BYTES,
        exception_handlers={HTTPException: _render_http_error},
        on_shutdown=[shut_down],
    )
    return app, agent.stopping


def _render_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _respond(error.status_code, WireRefusal(error.detail))


def _respond(status: int, content: Any) -> Response[bytes]:
    headers = {REQUEST_ID_HEADER: request_id.get()} if request_id.get() else None
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json", headers=headers)


def _outcome(verb: Verb, started: float) -> dict[str, Any]:
    return {"verb": verb.name, "ms": round((time.monotonic() - started) * 1000, 1), "request_id": request_id.get()}


def _take_request_id(request: Request[Any, Any, Any]) -> str:
    """Take the caller's id over if it is one; anything else could forge lines of the log."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex
