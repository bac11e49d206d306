"""The handlers of the infrastructure API, made from its route tables."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from opensdrs.api.bodies import parse
from opensdrs.api.infra import catalog, networks, servers, volumes
from opensdrs.api.infra.call import Call, Route
from opensdrs.cloud.cloud import Cloud
from opensdrs.domain.errors import Cause, Refused, SiteFault, refused

PREFIX = "/infra/v1/{project_id:str}"
ROUTES: tuple[Route, ...] = servers.ROUTES + volumes.ROUTES + networks.ROUTES + catalog.ROUTES
_MAX_JSON_DEPTH = 16
_CODES: dict[Cause, str] = {
    Cause.NOT_FOUND: "OPENSDRS.0404",
    Cause.CONFLICT: "OPENSDRS.0409",
    Cause.NO_SPACE: "OPENSDRS.0409",
    Cause.UNREACHABLE: "OPENSDRS.0503",
    Cause.TIMEOUT: "OPENSDRS.0503",
    Cause.FAILED: "OPENSDRS.0502",
}


def infra_handlers(cloud: Cloud) -> list[HTTPRouteHandler]:
    """Return the handlers for `build_app(extra_routers=...)`."""
    return [_handler(cloud, route) for route in ROUTES]


def _handler(cloud: Cloud, route: Route) -> HTTPRouteHandler:
    async def call(request: Request[Any, Any, Any]) -> Any:
        try:
            return await route.endpoint(
                Call(
                    cloud=cloud,
                    caller=request.user,
                    path=request.path_params,
                    query={name: request.query_params[name] for name in request.query_params},
                    body=await _body(request, route),
                )
            )
        except SiteFault as fault:
            raise _refusal(fault) from fault

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = msgspec.json.encode(await call(request))
        return Response(content=body, status_code=route.success, media_type="application/json")

    async def answer_nothing(request: Request[Any, Any, Any]) -> None:
        await call(request)

    decorate = HTTPRouteHandler(
        PREFIX + route.path,
        http_method=route.method,
        status_code=route.success,
        operation_id=f"{route.method.lower()}{route.path.replace('{', '').replace(':str}', '').replace('/', '_')}",
        summary=route.summary,
        tags=["infrastructure"],
        opt={"operation": route.operation},
    )
    return decorate(answer_nothing if route.success == 204 else answer)


async def _body(request: Request[Any, Any, Any], route: Route) -> Any:
    if route.body is None:
        return None
    raw = await request.body()
    document = parse(raw, _MAX_JSON_DEPTH) if raw.strip() else {}
    try:
        return msgspec.convert(document, route.body, strict=True)
    except msgspec.ValidationError as error:
        raise refused("OPENSDRS.0400", str(error)) from error


def _refusal(fault: SiteFault) -> Refused:
    return refused(_CODES[fault.cause], f"site {fault.site} could not do {fault.verb}: {fault.detail or fault.cause}")
