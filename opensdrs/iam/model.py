"""Users, projects and what they may do. A role counts in one project."""

from dataclasses import dataclass
from enum import StrEnum

from opensdrs.domain.ids import ProjectId


class Role(StrEnum):
    """Roles, each including those before it."""

    READER = "reader"  # look at everything of the project
    OPERATOR = "operator"  # operate what exists: fail over, drill, start and stop servers
    ADMIN = "admin"  # make and delete resources
    SYSTEM_ADMIN = "system_admin"  # manage what no project owns: flavors, sites

    @property
    def rank(self) -> int:
        """Higher includes lower."""
        return list(Role).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """An account: the owner of users and projects."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project: the owner of resources."""

    id: ProjectId
    name: str
    domain: Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user."""

    id: str
    name: str
    domain: Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. Times are seconds since the Unix epoch. `project` is None for an unscoped token."""

    token_id: str
    user: User
    project: Project | None
    roles: tuple[Role, ...]
    issued_at: float
    expires_at: float
