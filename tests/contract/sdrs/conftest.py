"""The application of the SDRS API on a temporary SQLite database, or on an empty one named by the environment.

`OPENSDRS_TEST_DATABASE=postgresql://...` runs the same tests on PostgreSQL; every table in it is dropped.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from opensdrs.api.app import build_app
from opensdrs.api.settings import ApiSettings
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.quotas import Limits
from opensdrs.services.sdrs import build_services
from opensdrs.store.database import Database
from opensdrs.store.tables import METADATA
from tests.contract.sdrs.world import NOW, TokenTable, World, fill
from tests.documented import check


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def authenticator() -> TokenTable:
    return TokenTable()


@pytest.fixture
async def world(
    tmp_path: Path, settings: ApiSettings, limits: Limits, authenticator: TokenTable
) -> AsyncIterator[World]:
    database = Database(os.environ.get("OPENSDRS_TEST_DATABASE") or f"sqlite:///{tmp_path / 'sdrs.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
        await connection.run_sync(METADATA.create_all)
    clock = [NOW]
    app = build_app(build_services(database, Outbox(), lambda: clock[0], limits=limits), authenticator, settings)
    transport = httpx.ASGITransport(app=app)
    hooks = {"response": [check]}
    async with httpx.AsyncClient(transport=transport, base_url="http://sdrs.test", event_hooks=hooks) as client:
        world = World(database=database, client=client, clock=clock)
        await fill(world)
        yield world
    await database.close()
