"""How many groups and pairs a project may have, and has. Source: 5.10."""

from collections.abc import Mapping

from opensdrs.domain.errors import refused
from opensdrs.domain.model import Group, Pair, Quota
from opensdrs.domain.operations import Resource
from opensdrs.iam.caller import Caller
from opensdrs.services.views import QuotaView
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database

UNLIMITED = -1
DEFAULT_QUOTAS: Mapping[str, int] = {Resource.GROUP: 50, Resource.PAIR: 100}  # as in the example of 5.10.1
_KINDS: Mapping[str, type[object]] = {Resource.GROUP: Group, Resource.PAIR: Pair}
_CODES: Mapping[str, str] = {Resource.GROUP: "SDRS.0305", Resource.PAIR: "SDRS.0306"}


class Quotas:
    """A project's quotas: its own rows, or else the defaults; -1 is unlimited."""

    def __init__(self, database: Database, defaults: Mapping[str, int] = DEFAULT_QUOTAS) -> None:
        self._database = database
        self._defaults = defaults

    async def list(self, caller: Caller) -> list[QuotaView]:
        """Return every quota with its use (5.10.1)."""
        async with self._database.read() as connection:
            return [await self._get(connection, caller, type_) for type_ in _KINDS]

    async def check(self, connection: Connection, caller: Caller, type_: Resource, more: int = 1) -> None:
        """Raises: SDRS.0305 or SDRS.0306 unless `more` resources fit."""
        view = await self._get(connection, caller, type_)
        if view.quota != UNLIMITED and view.used + more > view.quota:
            raise refused(_CODES[type_], f"{view.used} of {view.quota} are used and {more} more are wanted")

    async def _get(self, connection: Connection, caller: Caller, type_: str) -> QuotaView:
        own = await rows.select(connection, Quota, caller.scope, tables.quotas.c.type == type_)
        used = await rows.count(connection, _KINDS[type_], caller.scope)
        return QuotaView(type=type_, used=used, quota=own[0].quota if own else self._defaults[type_])
