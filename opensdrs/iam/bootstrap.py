"""Make users, projects, grants and access keys. Every function is idempotent, so a lab or a script may repeat it."""

import secrets
import time

import sqlalchemy as sa
from cryptography.fernet import MultiFernet

from opensdrs.domain.ids import ProjectId
from opensdrs.iam.model import Domain, Project, Role, User
from opensdrs.iam.passwords import Passwords
from opensdrs.store.database import Connection, Database
from opensdrs.store.iam_tables import iam_access_keys, iam_domains, iam_grants, iam_projects, iam_users


class Bootstrap:
    """Brings about domains, projects, users, grants and access keys."""

    def __init__(self, database: Database, access_key_secrets: MultiFernet, passwords: Passwords) -> None:
        self._database = database
        self._secrets = access_key_secrets
        self._passwords = passwords

    async def ensure_project(self, name: str, domain: str, project_id: str | None = None) -> Project:
        """Return the project, made if there was none. `project_id` counts only when it is made."""
        async with self._database.write() as connection:
            owner = await _ensure_domain(connection, domain)
            mine = (iam_projects.c.domain_id == owner.id, iam_projects.c.name == name)
            found = (await connection.execute(sa.select(iam_projects.c.id).where(*mine))).scalar()
            if found is None:
                found = project_id or secrets.token_hex(16)
                await connection.execute(iam_projects.insert().values(id=found, domain_id=owner.id, name=name))
            return Project(id=ProjectId(found), name=name, domain=owner)

    async def ensure_user(self, name: str, domain: str, password: str) -> User:
        """Return the user, enabled and with this password."""
        async with self._database.read() as connection:
            stored = await _find_hash(connection, name, domain)
        is_right = stored is not None and await self._passwords.is_right(stored, password)
        fresh = stored if is_right else await self._passwords.hash(password)
        async with self._database.write() as connection:
            owner = await _ensure_domain(connection, domain)
            mine = (iam_users.c.domain_id == owner.id, iam_users.c.name == name)
            found = (await connection.execute(sa.select(iam_users.c.id).where(*mine))).scalar()
            values = {"password_hash": fresh, "enabled": True}
            if found is None:
                found = secrets.token_hex(16)
                await connection.execute(iam_users.insert().values(id=found, domain_id=owner.id, name=name, **values))
            else:
                await connection.execute(iam_users.update().where(iam_users.c.id == found).values(values))
            return User(id=found, name=name, domain=owner)

    async def ensure_grant(self, user: User, project: Project, role: Role) -> None:
        """Give the user a role in the project."""
        values = {"user_id": user.id, "project_id": project.id, "role": role.value}
        mine = [iam_grants.c[key] == value for key, value in values.items()]
        async with self._database.write() as connection:
            if (await connection.execute(sa.select(iam_grants.c.role).where(*mine))).first() is None:
                await connection.execute(iam_grants.insert().values(values))

    async def ensure_access_key(
        self, user: User, access_key: str | None = None, secret: str | None = None
    ) -> tuple[str, str]:
        """Return an access key of the user and its secret in plain; new random ones unless given."""
        key = access_key or secrets.token_hex(10).upper()
        plain = secret or secrets.token_urlsafe(30)
        values = {
            "user_id": user.id,
            "secret_encrypted": self._secrets.encrypt(plain.encode()).decode(),
            "enabled": True,
            "created_at": time.time(),
        }
        async with self._database.write() as connection:
            mine = iam_access_keys.c.access_key == key
            if (await connection.execute(sa.select(iam_access_keys.c.access_key).where(mine))).first() is None:
                await connection.execute(iam_access_keys.insert().values(access_key=key, **values))
            else:
                await connection.execute(iam_access_keys.update().where(mine).values(values))
        return key, plain


async def _ensure_domain(connection: Connection, name: str) -> Domain:
    found = (await connection.execute(sa.select(iam_domains.c.id).where(iam_domains.c.name == name))).scalar()
    if found is None:
        found = secrets.token_hex(16)
        await connection.execute(iam_domains.insert().values(id=found, name=name))
    return Domain(id=found, name=name)


async def _find_hash(connection: Connection, name: str, domain: str) -> str | None:
    query = (
        sa.select(iam_users.c.password_hash)
        .join(iam_domains, iam_domains.c.id == iam_users.c.domain_id)
        .where(iam_users.c.name == name, iam_domains.c.name == domain)
    )
    found: str | None = (await connection.execute(query)).scalar()
    return found
