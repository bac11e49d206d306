"""Who somebody is: log in with a password, read a token, verify an access key, list projects."""

from dataclasses import dataclass

from cryptography.fernet import InvalidToken, MultiFernet

from opensdrs.domain.errors import refused
from opensdrs.iam import directory
from opensdrs.iam.directory import AccessKey
from opensdrs.iam.model import Claims, Project, Role, User
from opensdrs.iam.passwords import Passwords
from opensdrs.iam.revocation import Revocations
from opensdrs.iam.tokens import Tokens
from opensdrs.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoping:
    """The project that a token is asked for, by id or by name with or without its domain."""

    project_id: str | None = None
    project_name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user, by id or by name, and the password. Not shown in logs."""

    password: str
    user_id: str | None = None
    user_name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None

    def __repr__(self) -> str:
        return f"Login(user_id={self.user_id!r}, user_name={self.user_name!r})"


class Identity:
    """Users, projects and tokens. `secrets` decrypts the secrets of access keys."""

    def __init__(self, database: Database, tokens: Tokens, secrets: MultiFernet, passwords: Passwords) -> None:
        self._database = database
        self._tokens = tokens
        self._secrets = secrets
        self._passwords = passwords
        self._revocations = Revocations(database)

    async def log_in(self, login: Login, scoping: Scoping | None) -> tuple[str, Claims]:
        """Return a token for the project. Raises: APIGW.0301, the same for every reason."""
        async with self._database.read() as connection:
            account = await directory.find_account(
                connection,
                user_id=login.user_id,
                name=login.user_name,
                domain_id=login.domain_id,
                domain_name=login.domain_name,
            )
        if (
            not await self._passwords.is_right(account.password_hash if account else None, login.password)
            or not account
        ):
            raise refused("APIGW.0301", "the user's name or password is wrong")
        project, roles = await self._scope(account.user, scoping)
        return self._tokens.issue(account.user, project, roles)

    async def exchange(self, token: str, scoping: Scoping | None) -> tuple[str, Claims]:
        """Return a token of the same user for another project; it ends no later. Raises: APIGW.0301."""
        claims = await self.read_token(token)
        project, roles = await self._scope(claims.user, scoping)
        return self._tokens.issue(claims.user, project, roles, expires_by=claims.expires_at)

    async def _scope(self, user: User, scoping: Scoping | None) -> tuple[Project | None, tuple[Role, ...]]:
        if scoping is None:
            return None, ()
        async with self._database.read() as connection:
            found = await directory.list_projects(
                connection,
                user.id,
                project_id=scoping.project_id,
                name=scoping.project_name,
                domain_id=scoping.domain_id,
                domain_name=scoping.domain_name,
            )
            own = [project for project in found if project.domain.id == user.domain.id]
            chosen = found if len(found) == 1 else own
            if len(chosen) != 1:
                raise refused("APIGW.0301", "the user has no role in such a project")
            return chosen[0], await directory.roles_of(connection, user.id, chosen[0].id)

    async def read_token(self, token: str) -> Claims:
        """Return what a token says. Raises: APIGW.0301 if it is forged, expired or revoked."""
        claims = self._tokens.read(token)
        if await self._revocations.is_revoked(claims):
            raise refused("APIGW.0301", "the token has been revoked")
        return claims

    async def revoke_token(self, token: str) -> None:
        """Make a token worthless. Raises: APIGW.0301."""
        await self._revocations.revoke(await self.read_token(token))

    async def list_projects(self, user_id: str, name: str | None = None, domain_id: str | None = None) -> list[Project]:
        """Return the projects in which the user has a role."""
        async with self._database.read() as connection:
            return await directory.list_projects(connection, user_id, name=name, domain_id=domain_id)

    async def find_access_key(self, access_key: str) -> tuple[AccessKey, str] | None:
        """Return an access key and its secret in plain."""
        async with self._database.read() as connection:
            found = await directory.find_access_key(connection, access_key)
        if found is None:
            return None
        try:
            return found, self._secrets.decrypt(found.secret_encrypted).decode()
        except InvalidToken as error:
            raise RuntimeError("an access key's secret was encrypted with a key that is not in the key file") from error

    async def find_project(self, user: User, project_id: str | None) -> tuple[Project, tuple[Role, ...]] | None:
        """Return a project of the user with the roles in it; without an id the first by name."""
        async with self._database.read() as connection:
            found = await directory.list_projects(connection, user.id, project_id=project_id)
            if not found:
                return None
            return found[0], await directory.roles_of(connection, user.id, found[0].id)
