"""The whole HTTP application, with real identity, over two emulated sites, and a user of each role."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from litestar import Litestar

from opensdrs.api.app import build_app
from opensdrs.api.infra.router import infra_handlers
from opensdrs.api.keystone import CatalogSettings, keystone_handlers
from opensdrs.cloud.catalog import seed_flavors
from opensdrs.cloud.cloud import Cloud
from opensdrs.domain.ids import SiteName
from opensdrs.iam.authenticator import Authenticator
from opensdrs.iam.bootstrap import Bootstrap
from opensdrs.iam.identity import Identity
from opensdrs.iam.keys import load_keys
from opensdrs.iam.model import Role
from opensdrs.iam.passwords import Passwords
from opensdrs.iam.tokens import Tokens
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.sdrs import build_services
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.store.database import Database
from opensdrs.store.tables import METADATA

URL = "http://sdrs.test"
PASSWORD = "Opensesame-1"
PROJECT, OTHER_PROJECT = "lab", "other"


@dataclass(kw_only=True)
class World:
    """The application and what is behind it."""

    app: Litestar
    client: httpx.AsyncClient
    cloud: Cloud
    bootstrap: Bootstrap
    sites: dict[SiteName, MemorySite]
    project_id: str
    tokens: dict[str, str]
    access_key: str
    secret_key: str

    async def ask(self, method: str, path: str, body: Any = None, *, user: str = "admin") -> httpx.Response:
        """Ask the infrastructure API as a user."""
        return await self.client.request(
            method, f"/infra/v1/{self.project_id}{path}", json=body, headers={"X-Auth-Token": self.tokens[user]}
        )

    async def make(self, path: str, body: Any) -> dict[str, Any]:
        """Create something; return it."""
        answer = await self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def login_body(user: str, password: str = PASSWORD, **project: Any) -> dict[str, Any]:
    """The body that keystoneauth sends."""
    return {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": user, "password": password, "domain": {"name": "lab"}}},
            },
            "scope": {"project": project or {"name": PROJECT, "domain": {"name": "lab"}}},
        }
    }


@asynccontextmanager
async def infra_world(folder: Path) -> AsyncIterator[World]:
    """Build everything; users: reader, operator, admin, root (system admin), and stranger in another project."""
    database = Database(f"sqlite:///{folder / 'infra.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    async with database.write() as connection:
        await seed_flavors(connection)
    keys = load_keys(folder / "iam.key")
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    bootstrap = Bootstrap(database, keys, passwords)
    project = await bootstrap.ensure_project(PROJECT, "lab")
    other = await bootstrap.ensure_project(OTHER_PROJECT, "lab")
    roles = {"reader": Role.READER, "operator": Role.OPERATOR, "admin": Role.ADMIN, "root": Role.SYSTEM_ADMIN}
    for name, role in roles.items():
        await bootstrap.ensure_grant(await bootstrap.ensure_user(name, "lab", PASSWORD), project, role)
    await bootstrap.ensure_grant(await bootstrap.ensure_user("stranger", "lab", PASSWORD), other, Role.ADMIN)
    admin = await bootstrap.ensure_user("admin", "lab", PASSWORD)
    access_key, secret_key = await bootstrap.ensure_access_key(admin)
    link = MemoryLink()
    sites = {SiteName(name): MemorySite(name, link, images={"tiny": b"boot" * 1024}) for name in ("az1", "az2")}
    cloud = Cloud(database, sites)
    identity = Identity(database, Tokens(keys), keys, passwords)
    app = build_app(
        build_services(database, Outbox(), time.time),
        Authenticator(identity),
        extra_routers=[*keystone_handlers(identity, CatalogSettings(region="lab")), *infra_handlers(cloud)],
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as client:
        tokens = {}
        for name in (*roles, "stranger"):
            scope = {"name": OTHER_PROJECT if name == "stranger" else PROJECT}
            answer = await client.post("/v3/auth/tokens", json=login_body(name, **scope))
            assert answer.status_code == 201, answer.text
            tokens[name] = answer.headers["x-subject-token"]
        yield World(
            app=app, client=client, cloud=cloud, bootstrap=bootstrap, sites=sites, project_id=project.id,
            tokens=tokens, access_key=access_key, secret_key=secret_key,
        )  # fmt: skip
    for site in sites.values():
        await site.close()
    await database.close()
