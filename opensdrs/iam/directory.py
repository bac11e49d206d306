"""Look users, projects, grants and access keys up."""

from dataclasses import dataclass

import sqlalchemy as sa

from opensdrs.domain.ids import ProjectId
from opensdrs.iam.model import Domain, Project, Role, User
from opensdrs.store.database import Connection
from opensdrs.store.iam_tables import iam_access_keys, iam_domains, iam_grants, iam_projects, iam_users

_DOMAIN = (iam_domains.c.id.label("domain_id"), iam_domains.c.name.label("domain_name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user with what proves that it is the user."""

    user: User
    password_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """An access key of a user; the secret is encrypted."""

    user: User
    secret_encrypted: str


def _user(row: sa.RowMapping) -> User:
    return User(id=row["id"], name=row["name"], domain=Domain(id=row["domain_id"], name=row["domain_name"]))


def _project(row: sa.RowMapping) -> Project:
    domain = Domain(id=row["domain_id"], name=row["domain_name"])
    return Project(id=ProjectId(row["id"]), name=row["name"], domain=domain)


async def find_account(
    connection: Connection, *, user_id: str | None, name: str | None, domain_id: str | None, domain_name: str | None
) -> Account | None:
    """Return the enabled user with this id, or with this name in this domain (the only one, if no domain is given)."""
    query = (
        sa.select(iam_users.c.id, iam_users.c.name, iam_users.c.password_hash, *_DOMAIN)
        .join(iam_domains, iam_domains.c.id == iam_users.c.domain_id)
        .where(iam_users.c.enabled)
    )
    if user_id is not None:
        query = query.where(iam_users.c.id == user_id)
    else:
        query = query.where(iam_users.c.name == name, *_in_domain(domain_id, domain_name))
    found = (await connection.execute(query)).mappings().all()
    return Account(user=_user(found[0]), password_hash=found[0]["password_hash"]) if len(found) == 1 else None


def _in_domain(domain_id: str | None, domain_name: str | None) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if domain_id is not None:
        conditions.append(iam_domains.c.id == domain_id)
    if domain_name is not None:
        conditions.append(iam_domains.c.name == domain_name)
    return conditions


async def list_projects(
    connection: Connection,
    user_id: str,
    *,
    project_id: str | None = None,
    name: str | None = None,
    domain_id: str | None = None,
    domain_name: str | None = None,
) -> list[Project]:
    """Return the projects in which the user has a role, by name."""
    query = (
        sa.select(iam_projects.c.id, iam_projects.c.name, *_DOMAIN)
        .join(iam_domains, iam_domains.c.id == iam_projects.c.domain_id)
        .where(
            iam_projects.c.id.in_(sa.select(iam_grants.c.project_id).where(iam_grants.c.user_id == user_id)),
            *_in_domain(domain_id, domain_name),
        )
        .order_by(iam_projects.c.name, iam_projects.c.id)
    )
    if project_id is not None:
        query = query.where(iam_projects.c.id == project_id)
    if name is not None:
        query = query.where(iam_projects.c.name == name)
    return [_project(row) for row in (await connection.execute(query)).mappings()]


async def roles_of(connection: Connection, user_id: str, project_id: str) -> tuple[Role, ...]:
    """Return the user's roles in the project."""
    query = sa.select(iam_grants.c.role).where(iam_grants.c.user_id == user_id, iam_grants.c.project_id == project_id)
    return tuple(
        sorted((Role(role) for role in (await connection.execute(query)).scalars()), key=lambda role: role.rank)
    )


async def find_access_key(connection: Connection, access_key: str) -> AccessKey | None:
    """Return an enabled access key of an enabled user."""
    query = (
        sa.select(iam_users.c.id, iam_users.c.name, iam_access_keys.c.secret_encrypted, *_DOMAIN)
        .join(iam_users, iam_users.c.id == iam_access_keys.c.user_id)
        .join(iam_domains, iam_domains.c.id == iam_users.c.domain_id)
        .where(iam_access_keys.c.access_key == access_key, iam_access_keys.c.enabled, iam_users.c.enabled)
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else AccessKey(user=_user(row), secret_encrypted=row["secret_encrypted"])
