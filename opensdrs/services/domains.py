"""Active-active domains. Source: 5.3."""

from collections.abc import Sequence

from opensdrs.domain.model import ActiveDomain
from opensdrs.store import rows
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM


class DomainService:
    """Shows the pairs of sites; every project sees all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> Sequence[ActiveDomain]:
        """Return every domain."""
        async with self._database.read() as connection:
            return await rows.select(connection, ActiveDomain, SYSTEM)
