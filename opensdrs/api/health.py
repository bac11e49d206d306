"""Health of the process, for supervisors and load balancers. Needs no token and tells nothing about anybody."""

from collections.abc import Awaitable, Callable

from litestar import get
from litestar.handlers import HTTPRouteHandler


def health_handler(ping: Callable[[], Awaitable[None]]) -> HTTPRouteHandler:
    """Build `GET /healthz`: 200 when `ping` (a look at the database) returns, an error answer when it raises."""

    @get("/healthz", opt={"operation": None})
    async def healthz() -> dict[str, str]:
        await ping()
        return {"status": "ok"}

    return healthz
