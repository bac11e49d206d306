"""The application: handlers made from the table of routes, the gate before them, the renderer of errors behind them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from opensdrs.api import drills, errors, groups, instances, pairs, project, tags
from opensdrs.api.auth import Authenticator, Gate
from opensdrs.api.call import Call, Endpoint
from opensdrs.api.openapi import openapi_handlers
from opensdrs.api.options import options_handlers
from opensdrs.api.query import Query
from opensdrs.api.request_id import add_request_id
from opensdrs.api.routes import ROUTES, Route
from opensdrs.api.settings import ApiSettings
from opensdrs.api.versions import version_handlers
from opensdrs.iam.policy import check as check_policy
from opensdrs.services.sdrs import Services

_PREFIX = "/v1/{project_id:str}"
ENDPOINTS: dict[str, Endpoint] = {
    **project.ENDPOINTS,
    **groups.ENDPOINTS,
    **instances.ENDPOINTS,
    **pairs.ENDPOINTS,
    **drills.ENDPOINTS,
    **tags.ENDPOINTS,
}


def build_app(
    services: Services,
    authenticator: Authenticator,
    settings: ApiSettings | None = None,
    extra_routers: Sequence[ControllerRouterHandler] = (),
) -> Litestar:
    """Build the application. `extra_routers` (identity, infrastructure, health) pass the same gate and renderer."""
    chosen = settings or ApiSettings()
    handlers = [
        *version_handlers(chosen),
        *openapi_handlers(),
        *(_handler(route, ENDPOINTS[route.operation], services, chosen) for route in ROUTES),
        *extra_routers,
    ]
    return Litestar(
        route_handlers=[*options_handlers(handlers), *handlers],
        middleware=[Gate(authenticator, check_policy, chosen.max_body_bytes)],
        exception_handlers=errors.handlers(chosen),
        before_send=[add_request_id],
        request_max_body_size=chosen.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )


def _handler(route: Route, endpoint: Endpoint, services: Services, settings: ApiSettings) -> HTTPRouteHandler:
    async def call(request: Request[Any, Any, Any]) -> Any:
        return await endpoint(
            Call(
                services=services,
                settings=settings,
                caller=request.user,
                path=request.path_params,
                query=Query(request.scope["query_string"].decode("utf-8", "replace")),
                body=await request.body(),
            )
        )

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = msgspec.json.encode(await call(request))
        return Response(content=body, status_code=route.success, media_type="application/json")

    async def answer_nothing(request: Request[Any, Any, Any]) -> None:
        await call(request)

    decorate = HTTPRouteHandler(
        _PREFIX + route.path,
        http_method=route.method,
        status_code=route.success,
        name=route.operation,
        operation_id=route.operation,
        opt={"operation": route.operation},
    )
    return decorate(answer_nothing if route.success == 204 else answer)
