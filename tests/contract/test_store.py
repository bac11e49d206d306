"""The store's schema: what the migrations make is what the tables say."""

from pathlib import Path

import pytest

from opensdrs.domain.model import ActiveDomain
from opensdrs.store import migrate, rows
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM


async def test_migrations_when_applied_then_nothing_differs_from_the_tables(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    await migrate.upgrade(database)
    await migrate.upgrade(database)
    assert await migrate.find_differences(database) == []
    await database.close()


async def test_write_when_it_raises_then_nothing_is_left(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    await migrate.upgrade(database)
    row = ActiveDomain(id="d", name="n", description="", sold_out=False, local_site="a", remote_site="b")
    with pytest.raises(RuntimeError):
        async with database.write() as connection:
            await rows.insert(connection, row)
            raise RuntimeError("in the middle")
    async with database.read() as connection:
        assert await rows.find(connection, ActiveDomain, "d", SYSTEM) is None
    await database.close()
