"""OPTIONS of every path, with all of its methods: the framework's own answer knows only those it met first."""

from collections.abc import Iterable
from typing import Any

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler


def options_handlers(handlers: Iterable[ControllerRouterHandler]) -> list[HTTPRouteHandler]:
    """Return the OPTIONS handlers of the others' paths. They have to be registered before those."""
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        if isinstance(handler, HTTPRouteHandler):
            for path in handler.paths:
                methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    return [_handler(path, ", ".join(sorted(names))) for path, names in methods.items()]


def _handler(path: str, allowed: str) -> HTTPRouteHandler:
    def answer() -> Response[Any]:
        return Response(content=None, status_code=204, headers={"Allow": allowed})

    return HTTPRouteHandler(path, http_method="OPTIONS", sync_to_thread=False)(answer)
