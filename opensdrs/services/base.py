"""What every service is made of: the database, the dispatcher's bell, a clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from opensdrs.jobs.outbox import Outbox
from opensdrs.store.database import Connection, Database

Clock = Callable[[], float]


class Service:
    """Base of the services. `clock` returns seconds since the Unix epoch."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    @asynccontextmanager
    async def _admitting(self) -> AsyncIterator[Connection]:
        """Open the one write transaction of an admission; the dispatcher is told after the commit."""
        async with self._database.write() as connection:
            yield connection
        self._outbox.notify()
