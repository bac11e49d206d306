"""Runs the agent's application until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from opensdrs.agent.app import build_app
from opensdrs.process.serving import Listen, until_signal
from opensdrs.process.serving import serving as serving_app
from opensdrs.sites.base import Site

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    site: Site, token: str, listen: Listen, *, close: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Serve within the block; leaving it ends waiting requests and calls `close`. Raises: CannotListen."""
    app, stopping = build_app(site, token, close=close)
    async with serving_app(app, listen, before_stop=stopping.set) as server:
        yield server


async def serve_until_signal(
    site: Site, token: str, listen: Listen, *, close: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Raises: CannotListen."""
    async with serving(site, token, listen, close=close) as server:
        _log.info("agent.started", extra={"site": site.name, "host": listen.host, "port": listen.port})
        await until_signal(server)
    _log.info("agent.stopped", extra={"site": site.name})
