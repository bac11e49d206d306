"""The API document, made from the tables of routes and the structs of requests and answers; and a page to try it."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from opensdrs.api import answers
from opensdrs.api.documents import DOCUMENTS
from opensdrs.api.infra.router import PREFIX as INFRA_PREFIX
from opensdrs.api.infra.router import ROUTES as INFRA_ROUTES
from opensdrs.api.keystone import Auth
from opensdrs.api.openapi_parts import Json, Schemas, parameters, refusals, request_body, responses
from opensdrs.api.routes import PUBLIC, ROUTES, Route

_PREFIX = "/v1/{project_id:str}"
_GATED = ("400", "401", "403", "404", "405", "413", "500")
_SITES = ("409", "502", "503")
_OPEN = ("400", "404", "405", "500")
_ABOUT = """Open, self-hosted storage disaster recovery. Every request needs a token (`POST /v3/auth/tokens`, header
`X-Auth-Token`) or a signature with an access key (`Authorization: SDK-HMAC-SHA256 ...`). An accepted operation answers
the id of a job; poll it until its status is `SUCCESS` or `FAIL`. See docs/how-to/connect.md."""


@cache
def document() -> Json:
    """Return the OpenAPI document."""
    schemas = Schemas()
    paths: Json = {}
    for route in ROUTES:
        _add(paths, _PREFIX + route.path, route.method, _sdrs(schemas, route))
    for row in INFRA_ROUTES:
        _add(paths, INFRA_PREFIX + row.path, row.method, _infra(schemas, row))
    for path, method, operation in _others(schemas):
        _add(paths, path, method, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenSDRS", "version": "v1", "description": _ABOUT},
        "paths": paths,
        "security": [{"token": []}, {"signature": []}],
        "components": {
            "schemas": schemas.components(),
            "responses": refusals(),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "signature": {"type": "apiKey", "in": "header", "name": "Authorization"},
            },
        },
    }


def _add(paths: Json, path: str, method: str, operation: Json) -> None:
    paths.setdefault(path.replace(":str", ""), {})[method.lower()] = operation


def _sdrs(schemas: Schemas, route: Route) -> Json:
    row = DOCUMENTS[route.operation]
    answer = None if row.answer is None else schemas.of(row.answer)
    operation: Json = {
        "operationId": route.operation,
        "tags": [row.tag],
        "summary": row.summary,
        "description": f"Source: {row.source}.",
        "parameters": parameters(_PREFIX + route.path, row.query),
        "responses": responses(route.success, answer, refusals=_GATED),
    }
    if row.body is not None:
        operation["requestBody"] = request_body(schemas.of(row.body), is_required=not row.body_optional)
    if row.answer is answers.Accepted:
        _link_job(operation, route.success)
    return operation


def _link_job(operation: Json, status: int) -> None:
    parameters_of_job = {"project_id": "$request.path.project_id", "job_id": "$response.body#/job_id"}
    link = {"operationId": "show_job", "parameters": parameters_of_job}
    operation["responses"][str(status)]["links"] = {"job": link}


def _infra(schemas: Schemas, row: Any) -> Json:
    answer = None
    if row.answer is not None:
        is_list = row.method == "GET" and "{" not in row.path
        answer = schemas.of({row.path[1:].replace("-", "_"): list[row.answer]} if is_list else row.answer)
    operation: Json = {
        "operationId": f"infra_{row.method.lower()}{row.path.replace('{', '').replace(':str}', '').replace('/', '_')}",
        "tags": ["infrastructure"],
        "summary": row.summary,
        "parameters": parameters(INFRA_PREFIX + row.path, row.query),
        "responses": responses(row.success, answer, refusals=(*_GATED, *_SITES)),
    }
    if row.body is not None:
        operation["requestBody"] = request_body(schemas.of(row.body), is_required=False)
    return operation


def _others(schemas: Schemas) -> list[tuple[str, str, Json]]:
    anything: Json = {"type": "object"}
    version, versions = schemas.of({"version": answers.Version}), schemas.of({"versions": list[answers.Version]})
    of_project = ("name", "domain_id")
    subject: Json = {"name": "X-Subject-Token", "in": "header", "required": True, "schema": {"type": "string"}}
    tokens = "/v3/auth/tokens"
    rows = [
        ("/", "get", "List the versions of the API.", responses(200, versions, refusals=_OPEN)),
        ("/{api_version}", "get", "Show a version of the API.", responses(200, version, refusals=_OPEN)),
        ("/healthz", "get", "Tell whether the process is well.",
         responses(200, schemas.of({"status": str}), refusals=_OPEN)),
        ("/v3", "get", "Show the version of the identity API.", responses(200, anything, refusals=_OPEN)),
        (tokens, "post", "Log in: the token is in the header X-Subject-Token.",
         responses(201, anything, refusals=_GATED)),
        (tokens, "get", "Describe a token.", responses(200, anything, refusals=_GATED)),
        (tokens, "delete", "Revoke one's own token.", responses(204, None, refusals=_GATED)),
        *((f"/v3/{path}", "get", f"List one's {path.rpartition('/')[2]}.", responses(200, anything, refusals=_GATED))
          for path in ("auth/projects", "auth/domains", "auth/catalog", "projects")),
    ]  # fmt: skip
    made = []
    for path, method, summary, good_and_bad in rows:
        operation: Json = {
            "operationId": f"{method}{path}".replace("/", "_").translate(str.maketrans("", "", "{}")).rstrip("_"),
            "tags": ["versions and identity"],
            "summary": summary,
            "parameters": parameters(path, of_project if path.endswith("/projects") else ()),
            "responses": good_and_bad,
        }
        if (method.upper(), path) in PUBLIC:
            operation["security"] = []
        if path == tokens and method == "post":
            operation["requestBody"] = request_body(schemas.of({"auth": Auth}), is_required=True)
        elif path == tokens:
            operation["parameters"].append(subject)
        made.append((path, method, operation))
    return made


def openapi_handlers() -> list[HTTPRouteHandler]:
    """Return the handlers of the document and of the page; both are public and need nothing from outside."""
    page = (Path(__file__).parent / "explorer.html").read_text()

    @get("/openapi/openapi.json", sync_to_thread=False)
    def show_document() -> Response[bytes]:
        return Response(content=msgspec.json.encode(document()), media_type=MediaType.JSON)

    @get("/openapi", sync_to_thread=False)
    def show_page() -> Response[str]:
        return Response(content=page, media_type=MediaType.HTML)

    return [show_document, show_page]
