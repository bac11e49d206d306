"""The tables of users, projects and keys. Same metadata as `tables.py`, so that migrations see them."""

from sqlalchemy import Boolean, Column, Double, ForeignKey, String, Table, Text, UniqueConstraint

from opensdrs.store.tables import METADATA


def _id(name: str = "id") -> Column[str]:
    return Column(name, String(64), primary_key=True)


def _ref(name: str, target: str) -> Column[str]:
    return Column(name, String(64), ForeignKey(target), nullable=False, index=True)


def _name() -> Column[str]:
    return Column("name", String(64), nullable=False)


iam_domains = Table("iam_domains", METADATA, _id(), _name(), UniqueConstraint("name"))
iam_projects = Table(
    "iam_projects", METADATA, _id(), _ref("domain_id", "iam_domains.id"), _name(), UniqueConstraint("domain_id", "name")
)
iam_users = Table(
    "iam_users", METADATA, _id(), _ref("domain_id", "iam_domains.id"), _name(),
    Column("password_hash", Text, nullable=False), Column("enabled", Boolean, nullable=False),
    UniqueConstraint("domain_id", "name"),
)  # fmt: skip
iam_grants = Table(
    "iam_grants", METADATA,
    Column("user_id", String(64), ForeignKey("iam_users.id"), primary_key=True),
    Column("project_id", String(64), ForeignKey("iam_projects.id"), primary_key=True, index=True),
    Column("role", String(32), primary_key=True),
)  # fmt: skip
iam_access_keys = Table(
    "iam_access_keys", METADATA, _id("access_key"), _ref("user_id", "iam_users.id"),
    Column("secret_encrypted", Text, nullable=False), Column("enabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
)  # fmt: skip
iam_revoked_tokens = Table(
    "iam_revoked_tokens", METADATA, _id("token_id"), Column("expires_at", Double, nullable=False, index=True)
)  # fmt: skip
