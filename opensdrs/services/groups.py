"""Protection groups: create, show, list, rename, delete. Their operations are in `group_operations`. Source: 5.4."""

from collections.abc import Sequence

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId, JobId, SiteName, new_id
from opensdrs.domain.infrastructure import Vpc
from opensdrs.domain.model import ActiveDomain, Drill, Group, Instance, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Resource
from opensdrs.domain.statuses import GroupStatus, Station
from opensdrs.domain.witness import initial
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import admit
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.base import Clock, Service
from opensdrs.services.listing import check_query_type, group_conditions
from opensdrs.services.lookup import get_group, lock_group
from opensdrs.services.quotas import Quotas
from opensdrs.services.requests import Filter, NewGroup
from opensdrs.services.text import check_description, check_name, check_replication_model
from opensdrs.services.views import GroupView, view_groups
from opensdrs.store import rows, tables, witness
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM

DR_TYPE = "migration"  # the only deployment model of 5.4.1
LINK_TIMEOUT_S = 5.0
_QUERY_TYPES = ("status_abnormal", "stop_protected", "period_no_dr_drill")
# What a group must not hold to be deleted, in the order in which it is said (MATRIX D6).
_CONTENTS: tuple[tuple[type[object], str], ...] = ((Instance, "SDRS.1001"), (Pair, "SDRS.1010"), (Drill, "SDRS.1003"))


class GroupService(Service):
    """Protection groups of one project at a time."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock, quotas: Quotas) -> None:
        super().__init__(database, outbox, clock)
        self._quotas = quotas

    async def create(self, caller: Caller, wanted: NewGroup) -> JobId:
        """Admit a new group. Raises: SDRS.0201 - 0205, 0212, 0224, 0233, 0305. Source: 5.4.1."""
        check_name(wanted.name)
        check_description(wanted.description)
        check_replication_model(wanted.replication_model)
        if wanted.dr_type not in (None, "", DR_TYPE):
            raise refused("SDRS.0201", f"dr_type must be {DR_TYPE}")
        async with self._admitting() as connection:
            domain = await _domain(connection, wanted)
            vpc = await rows.find(connection, Vpc, wanted.source_vpc_id, caller.scope)
            if vpc is None:
                raise refused("SDRS.0204", f"vpc {wanted.source_vpc_id} does not exist")
            await self._quotas.check(connection, caller, Resource.GROUP)
            group = _new_group(caller, wanted, domain, self._clock())
            await rows.insert(connection, group)
            await witness.insert(connection, group.id, initial(group.created_at))
            return await _admit(connection, caller, group, JobType.CREATE_GROUP)

    async def get(self, caller: Caller, group_id: GroupId) -> GroupView:
        """Raises: SDRS.0207, SDRS.1013. Source: 5.4.3."""
        async with self._database.read() as connection:
            return (await view_groups(connection, [await get_group(connection, caller, group_id)]))[0]

    async def list(self, caller: Caller, wanted: Filter) -> tuple[Sequence[GroupView], int]:
        """Return a page, newest first, and the number of all matches. Raises: SDRS.0201. Source: 5.4.2."""
        check_query_type(wanted.query_type, _QUERY_TYPES)
        where = group_conditions(wanted, self._clock())
        async with self._database.read() as connection:
            page, count = await rows.page(
                connection, Group, caller.scope, where,
                limit=wanted.limit, offset=wanted.offset, marker=wanted.marker,
            )  # fmt: skip
            return await view_groups(connection, page), count

    async def rename(self, caller: Caller, group_id: GroupId, name: str) -> GroupView:
        """Raises: SDRS.0202, 0207, 1013. Source: 5.4.5."""
        check_name(name)
        async with self._database.write() as connection:
            group = await get_group(connection, caller, group_id)
            await rows.update(connection, Group, group.id, name=name, updated_at=self._clock())
        return await self.get(caller, group_id)

    async def delete(self, caller: Caller, group_id: GroupId) -> JobId:
        """Admit the deletion of an empty group. Raises: SDRS.0207, 1001, 1002, 1003, 1010, 1013. Source: 5.4.4."""
        operation = BY_JOB_TYPE[JobType.DELETE_GROUP]
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, group_id)
            for kind, code in _CONTENTS:
                held = await rows.count(connection, kind, SYSTEM, rows.TABLES[kind].c.group_id == group.id)
                if held:
                    raise refused(code, f"it contains {held}")
            moved = await rows.move(
                connection, Group, group.id, operation.allowed, operation.pending, updated_at=self._clock()
            )
            if not moved:
                raise refused(operation.refusal, f"protection group {group.name} is {group.status}")
            return await _admit(connection, caller, group, JobType.DELETE_GROUP)


async def _domain(connection: Connection, wanted: NewGroup) -> ActiveDomain:
    domains = await rows.select(connection, ActiveDomain, SYSTEM, tables.active_domains.c.id == wanted.domain_id)
    if not domains:
        raise refused("SDRS.0205", f"active-active domain {wanted.domain_id} does not exist")
    domain = domains[0]
    sites = {domain.local_site, domain.remote_site}
    if {wanted.source_availability_zone, wanted.target_availability_zone} != sites:
        raise refused("SDRS.0203", f"domain {domain.name} connects {' and '.join(sorted(sites))}")
    if domain.sold_out:
        raise refused("SDRS.0233", f"domain {domain.name} is sold out")
    return domain


def _new_group(caller: Caller, wanted: NewGroup, domain: ActiveDomain, now: float) -> Group:
    return Group(
        id=GroupId(new_id()),
        project_id=caller.project_id,
        name=wanted.name,
        description=wanted.description or None,
        status=GroupStatus.CREATING,
        source_site=SiteName(wanted.source_availability_zone),
        target_site=SiteName(wanted.target_availability_zone),
        domain_id=domain.id,
        domain_name=domain.name,
        source_vpc_id=wanted.source_vpc_id,
        target_vpc_id=wanted.source_vpc_id,
        dr_type=DR_TYPE,
        priority_station=Station.SOURCE,
        link_timeout_s=LINK_TIMEOUT_S,
        created_at=now,
        updated_at=now,
    )


async def _admit(connection: Connection, caller: Caller, group: Group, job_type: JobType) -> JobId:
    return await admit(
        connection,
        operation=BY_JOB_TYPE[job_type],
        project_id=caller.project_id,
        request_id=caller.request_id,
        resource_id=group.id,
        resource_name=group.name,
        group_id=None,
        params={},
        entities={"server_group_id": group.id},
    )
