"""From the headers of a request to its caller: a token, or a signature made with an access key."""

import re
import time
from collections.abc import Callable, Mapping

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import ProjectId
from opensdrs.iam import signature
from opensdrs.iam.caller import Caller
from opensdrs.iam.identity import Identity
from opensdrs.iam.model import Project, Role, User
from opensdrs.iam.signature import BadSignature

_PROJECT_IN_PATH = re.compile(r"/(?:infra/)?v\d(?:\.\d)?/([0-9a-zA-Z]{32}|[0-9a-fA-F-]{36})(?:/|$)")
_NO_PROJECT = ProjectId("")


class Authenticator:
    """Tells who makes a request."""

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.time) -> None:
        self._identity = identity
        self._clock = clock

    async def authenticate(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> Caller:
        """Return the caller. Header names are lower-case; `path` and `query` are as they came over the wire.

        A token wins over an Authorization of another scheme (CONTRACT 5.4). A caller without a project has the
        empty project id, which owns nothing. Raises: APIGW.0301.
        """
        authorization = headers.get("authorization", "")
        token = headers.get("x-auth-token", "")
        if token and not signature.is_signature(authorization):
            claims = await self._identity.read_token(token)
            return _caller(claims.user, claims.project, claims.roles, request_id)
        if not signature.is_signature(authorization):
            raise refused("APIGW.0301", "neither X-Auth-Token nor a signature is in the request")
        user = await self._verify(authorization, method, path, query, headers, body)
        wanted = headers.get("x-project-id") or _project_in(path)
        found = await self._identity.find_project(user, wanted)
        if found is None and wanted is not None:
            raise refused("APIGW.0301", "the access key's user has no role in the project")
        project, roles = found or (None, ())
        return _caller(user, project, roles, request_id)

    async def _verify(
        self, authorization: str, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> User:
        try:
            parsed = signature.parse(authorization)
            found = await self._identity.find_access_key(parsed.access_key)
            # An unknown key costs the same work and gets the same answer as a wrong signature.
            signature.check(
                parsed,
                found[1] if found else "no such access key",
                method=method,
                path=path,
                query=query,
                headers=headers,
                body=body,
                now=self._clock(),
            )
        except BadSignature as error:
            raise refused("APIGW.0301", str(error)) from error
        if found is None:
            raise refused("APIGW.0301", "the signature does not match the request")
        return found[0].user


def _project_in(path: str) -> str | None:
    match = _PROJECT_IN_PATH.match(path)
    return match[1] if match else None


def _caller(user: User, project: Project | None, roles: tuple[Role, ...], request_id: str) -> Caller:
    return Caller(
        user_id=user.id,
        user_name=user.name,
        project_id=project.id if project else _NO_PROJECT,
        project_name=project.name if project else "",
        roles=frozenset(roles),
        request_id=request_id,
        is_system=Role.SYSTEM_ADMIN in roles,
    )
