"""The versions of the API; anybody may ask. Source: 5.2."""

from typing import Any

from litestar import Request, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler

from opensdrs.api.settings import ApiSettings

_VERSION = "v1"


def version_handlers(settings: ApiSettings) -> list[HTTPRouteHandler]:
    """Return the handlers of `GET /` and `GET /{api_version}`; `/v1` is spelt out because other routes begin so."""

    def describe(request: Request[Any, Any, Any]) -> dict[str, Any]:
        base = (settings.public_url or str(request.base_url)).rstrip("/")
        return {
            "id": _VERSION,
            "links": [{"href": f"{base}/{_VERSION}", "rel": "self"}],
            "version": "",
            "status": "CURRENT",
            "updated": "2018-05-30T15:00:00Z",  # MATRIX C18
            "min_version": "",
        }

    @get("/", sync_to_thread=False)
    def list_versions(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return {"versions": [describe(request)]}

    @get([f"/{_VERSION}", "/{api_version:str}"], sync_to_thread=False)
    def show_version(request: Request[Any, Any, Any]) -> dict[str, Any]:
        if request.path_params.get("api_version", _VERSION) != _VERSION:
            raise NotFoundException
        return {"version": describe(request)}

    return [list_versions, show_version]
