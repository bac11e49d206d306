"""Identity over REST, as the OpenStack and Huawei clients expect it under `/v3`: tokens and projects.

Source: CONTRACT 5.1 and 5.3. Every answer carries `X-IAM-Trace-Id`, which the clients quote.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from opensdrs.api.bodies import parse
from opensdrs.api.request_id import request_id_of
from opensdrs.domain.errors import refused
from opensdrs.iam.identity import Identity, Login, Scoping
from opensdrs.iam.model import Claims, Domain, Project

AnyRequest = Request[Any, Any, Any]
_MAX_JSON_DEPTH = 16
_VERSION = {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "media-types": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSettings:
    """What the service catalog says. `public_url`: http://host:port; empty means as the request came in."""

    region: str
    public_url: str = ""


class _Named(msgspec.Struct, kw_only=True):
    id: str | None = None
    name: str | None = None


class _User(_Named, kw_only=True):
    password: str
    domain: _Named = msgspec.field(default_factory=_Named)


class _Password(msgspec.Struct, kw_only=True):
    user: _User


class _Token(msgspec.Struct, kw_only=True):
    id: str


class _Identity(msgspec.Struct, kw_only=True):
    methods: list[str]
    password: _Password | None = None
    token: _Token | None = None


class _Project(_Named, kw_only=True):
    domain: _Named | None = None


class _Scope(msgspec.Struct, kw_only=True):
    project: _Project | None = None
    domain: _Named | None = None


class Auth(msgspec.Struct, kw_only=True):
    """Who logs in, how, and for which project."""

    identity: _Identity
    scope: _Scope | str | None = None


def keystone_handlers(identity: Identity, settings: CatalogSettings) -> list[HTTPRouteHandler]:
    """Return the handlers for `build_app(extra_routers=...)`."""
    keystone = _Keystone(identity, settings)
    public: list[tuple[str, str, Any, int]] = [
        ("GET", "/v3", keystone.show_version, 200),
        ("POST", "/v3/auth/tokens", keystone.create_token, 201),
    ]
    private: list[tuple[str, str, Any, int]] = [
        ("GET", "/v3/auth/tokens", keystone.show_token, 200),
        ("DELETE", "/v3/auth/tokens", keystone.revoke_token, 204),
        ("GET", "/v3/auth/projects", keystone.list_projects, 200),
        ("GET", "/v3/auth/domains", keystone.list_domains, 200),
        ("GET", "/v3/auth/catalog", keystone.show_catalog, 200),
        ("GET", "/v3/projects", keystone.list_projects, 200),
    ]
    return [_handler(*row) for row in public + private]


def _handler(method: Any, path: str, endpoint: Any, success: int) -> HTTPRouteHandler:
    async def answer(request: AnyRequest) -> Response[bytes]:
        document, headers = await endpoint(request)
        return Response(
            content=msgspec.json.encode(document),
            status_code=success,
            media_type="application/json",
            headers={"X-IAM-Trace-Id": request_id_of(request.scope), **headers},
        )

    async def answer_nothing(request: AnyRequest) -> None:
        await endpoint(request)

    name = f"keystone_{method.lower()}{path.replace('/', '_')}"
    decorate = HTTPRouteHandler(path, http_method=method, status_code=success, operation_id=name, tags=["identity"])
    return decorate(answer_nothing if success == 204 else answer)


class _Keystone:
    def __init__(self, identity: Identity, settings: CatalogSettings) -> None:
        self._identity = identity
        self._settings = settings

    async def show_version(self, request: AnyRequest) -> tuple[Any, dict[str, str]]:
        link = {"rel": "self", "href": f"{self._base(request)}/v3/"}
        return {"version": {**_VERSION, "links": [link]}}, {}

    async def create_token(self, request: AnyRequest) -> tuple[Any, dict[str, str]]:
        auth = _read_auth(await request.body())
        scoping = _scoping(auth.scope)
        if "password" in auth.identity.methods and auth.identity.password is not None:
            user = auth.identity.password.user
            login = Login(
                password=user.password,
                user_id=user.id,
                user_name=user.name,
                domain_id=user.domain.id,
                domain_name=user.domain.name,
            )
            token, claims = await self._identity.log_in(login, scoping)
        elif "token" in auth.identity.methods and auth.identity.token is not None:
            token, claims = await self._identity.exchange(auth.identity.token.id, scoping)
        else:
            raise refused("OPENSDRS.0400", "auth.identity.methods: password or token, with what belongs to it")
        return self._describe(request, claims), {"X-Subject-Token": token}

    async def show_token(self, request: AnyRequest) -> tuple[Any, dict[str, str]]:
        token = _subject(request)
        return self._describe(request, await self._identity.read_token(token)), {"X-Subject-Token": token}

    async def revoke_token(self, request: AnyRequest) -> None:
        claims = await self._identity.read_token(_subject(request))
        if claims.user.id != request.user.user_id:
            raise refused("SDRS.0005", "the token belongs to another user")
        await self._identity.revoke_token(_subject(request))

    async def list_projects(self, request: AnyRequest) -> tuple[Any, dict[str, str]]:
        found = await self._identity.list_projects(
            request.user.user_id, request.query_params.get("name"), request.query_params.get("domain_id")
        )
        link = {"self": f"{self._base(request)}{request.scope['path']}", "next": None, "previous": None}
        return {"projects": [_project(project) for project in found], "links": link}, {}

    async def list_domains(self, request: AnyRequest) -> tuple[Any, dict[str, str]]:
        owners: dict[str, Domain] = {}
        for project in await self._identity.list_projects(request.user.user_id):
            owners[project.domain.id] = project.domain
        link = {"self": f"{self._base(request)}/v3/auth/domains", "next": None, "previous": None}
        domains = [{"id": one.id, "name": one.name, "enabled": True} for one in owners.values()]
        return {"domains": domains, "links": link}, {}

    async def show_catalog(self, request: AnyRequest) -> tuple[Any, dict[str, str]]:
        return {"catalog": self._catalog(request, request.user.project_id), "links": {}}, {}

    def _base(self, request: AnyRequest) -> str:
        return (self._settings.public_url or str(request.base_url)).rstrip("/")

    def _describe(self, request: AnyRequest, claims: Claims) -> dict[str, Any]:
        """Return the body that describes a token; with `nocatalog` in the query without the catalog."""
        user = claims.user
        token: dict[str, Any] = {
            "methods": ["password"],
            "issued_at": _time(claims.issued_at),
            "expires_at": _time(claims.expires_at),
            "user": {"id": user.id, "name": user.name, "domain": _domain(user.domain), "password_expires_at": ""},
        }
        if claims.project is not None:
            project = claims.project
            token["project"] = {"id": project.id, "name": project.name, "domain": _domain(project.domain)}
            token["roles"] = [{"id": role.value, "name": role.value} for role in claims.roles]
            if "nocatalog" not in request.query_params:
                token["catalog"] = self._catalog(request, project.id)
        return {"token": token}

    def _catalog(self, request: AnyRequest, project_id: str) -> list[dict[str, Any]]:
        base = self._base(request)
        services = [("identity", "keystone", f"{base}/v3")]
        if project_id:
            services += [
                ("sdrs", "sdrs", f"{base}/v1/{project_id}"),
                ("opensdrs-infrastructure", "infrastructure", f"{base}/infra/v1/{project_id}"),
            ]
        return [
            {
                "id": name,
                "type": kind,
                "name": name,
                "endpoints": [
                    {
                        "id": f"{name}-public",
                        "interface": "public",
                        "region": self._settings.region,
                        "region_id": self._settings.region,
                        "url": url,
                    }
                ],
            }
            for kind, name, url in services
        ]


def _read_auth(body: bytes) -> Auth:
    try:
        return msgspec.convert(parse(body, _MAX_JSON_DEPTH).get("auth", {}), Auth, strict=True)
    except msgspec.ValidationError as error:
        # The text names the field and its type, never a value: passwords stay out of answers and logs.
        raise refused("OPENSDRS.0400", f"auth: {error}") from None


def _scoping(scope: _Scope | str | None) -> Scoping | None:
    if not isinstance(scope, _Scope) or scope.project is None:
        return None
    domain = scope.project.domain or _Named()
    return Scoping(
        project_id=scope.project.id,
        project_name=scope.project.name,
        domain_id=domain.id,
        domain_name=domain.name,
    )


def _subject(request: AnyRequest) -> str:
    return request.headers.get("x-subject-token", "")


def _domain(domain: Domain) -> dict[str, str]:
    return {"id": domain.id, "name": domain.name}


def _project(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain.id,
        "parent_id": project.domain.id,
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {},
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
