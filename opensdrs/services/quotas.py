"""How much a project may have: its quotas of groups and pairs, and the limits of every group. Source: 5.10."""

from collections.abc import Mapping
from dataclasses import dataclass

from opensdrs.cloud.quotas import KINDS, UNLIMITED, find_quota, lock_quota, used_by
from opensdrs.domain.errors import refused
from opensdrs.domain.infrastructure import Subnet, Vpc
from opensdrs.domain.model import Group, Instance, Pair
from opensdrs.domain.operations import Resource
from opensdrs.iam.caller import Caller
from opensdrs.services.views import QuotaView
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM

_CODES: Mapping[str, str] = {Resource.GROUP: "SDRS.0305", Resource.PAIR: "SDRS.0306"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a project may have unless an administrator said otherwise (the first two: the example of 5.10.1).

    -1 is unlimited. Unattached pairs, VPCs and subnets count per project; the networks only where a drill makes them.
    """

    groups: int = 50
    pairs: int = 100
    instances_per_group: int = 60
    unattached_pairs: int = 50
    vpcs: int = 100
    subnets: int = 1000
    nics_per_instance: int = 8


class Quotas:
    """A project's quotas: its own rows, or else the defaults; -1 is unlimited."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._defaults: Mapping[str, int] = {Resource.GROUP: limits.groups, Resource.PAIR: limits.pairs}

    async def list(self, caller: Caller) -> list[QuotaView]:
        """Return every quota with its use (5.10.1)."""
        async with self._database.read() as connection:
            return [await self._get(connection, caller, type_) for type_ in KINDS]

    async def check(self, connection: Connection, caller: Caller, type_: Resource, more: int = 1) -> None:
        """Raises: SDRS.0305 or SDRS.0306 unless `more` resources fit."""
        await lock_quota(connection, caller.project_id, type_)
        view = await self._get(connection, caller, type_)
        if not _fits(view.used, more, view.quota):
            raise refused(_CODES[type_], f"{view.used} of {view.quota} are used and {more} more are wanted")

    async def check_instances(self, connection: Connection, group: Group, more: int) -> None:
        """Raises: SDRS.1358 unless `more` instances fit into the group."""
        limit = self._limits.instances_per_group
        used = await rows.count(connection, Instance, SYSTEM, tables.instances.c.group_id == group.id)
        if not _fits(used, more, limit):
            raise refused("SDRS.1358", f"{group.name} has {used} of {limit}, and {more} more are wanted")

    async def check_unattached(self, connection: Connection, caller: Caller) -> None:
        """Raises: SDRS.1826 when the project has as many unattached pairs as it may have."""
        limit = self._limits.unattached_pairs
        attached = tables.pair_attachments.c.pair_id == tables.pairs.c.id
        is_free = ~tables.pair_attachments.select().where(attached).exists()
        used = await rows.count(connection, Pair, caller.scope, is_free)
        if not _fits(used, 1, limit):
            raise refused("SDRS.1826", f"{used} of {limit}")

    async def check_networks(self, connection: Connection, caller: Caller, subnets: int) -> None:
        """Raises: SDRS.1929, SDRS.1930 unless the project may have one more VPC with so many subnets."""
        for kind, limit, more, code in (
            (Vpc, self._limits.vpcs, 1, "SDRS.1929"),
            (Subnet, self._limits.subnets, subnets, "SDRS.1930"),
        ):
            used = await rows.count(connection, kind, caller.scope)
            if not _fits(used, more, limit):
                raise refused(code, f"{used} of {limit}", remedy="Delete the networks of former drills.")

    async def _get(self, connection: Connection, caller: Caller, type_: str) -> QuotaView:
        own = await find_quota(connection, caller.scope, type_)
        used = await used_by(connection, caller.scope, type_)
        return QuotaView(type=type_, used=used, quota=own.quota if own else self._defaults[type_])


def _fits(used: int, more: int, limit: int) -> bool:
    return limit == UNLIMITED or used + more <= limit
