"""DR drills: show, list, rename, delete. Creation is in `drill_creation`. Source: 5.7.2 - 5.7.5."""

from collections.abc import Sequence

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import DrillId, JobId
from opensdrs.domain.model import Drill
from opensdrs.domain.operations import BY_JOB_TYPE, JobType
from opensdrs.domain.statuses import DrillStatus
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import admit
from opensdrs.services.base import Service
from opensdrs.services.listing import basic, of_groups
from opensdrs.services.lookup import check_group_status, get_drill, lock_group
from opensdrs.services.requests import Filter
from opensdrs.services.text import check_name
from opensdrs.services.views import DrillView, view_drills
from opensdrs.store import rows, tables


class DrillService(Service):
    """DR drills of one project at a time."""

    async def get(self, caller: Caller, drill_id: DrillId) -> DrillView:
        """Raises: SDRS.1900, SDRS.1902. Source: 5.7.4."""
        async with self._database.read() as connection:
            return (await view_drills(connection, [await get_drill(connection, caller, drill_id)]))[0]

    async def list(self, caller: Caller, wanted: Filter) -> tuple[Sequence[DrillView], int]:
        """Return a page, newest first, and the number of all matches. Source: 5.7.3."""
        where = [*basic(tables.drills, wanted, DrillStatus), *of_groups(tables.drills, wanted)]
        if wanted.drill_vpc_id:
            where.append(tables.drills.c.drill_vpc_id == wanted.drill_vpc_id)
        async with self._database.read() as connection:
            page, count = await rows.page(
                connection, Drill, caller.scope, where,
                limit=wanted.limit, offset=wanted.offset, marker=wanted.marker,
            )  # fmt: skip
            return await view_drills(connection, page), count

    async def rename(self, caller: Caller, drill_id: DrillId, name: str) -> DrillView:
        """Raises: SDRS.0202, 1900, 1902. Source: 5.7.5."""
        check_name(name)
        async with self._database.write() as connection:
            drill = await get_drill(connection, caller, drill_id)
            await rows.update(connection, Drill, drill.id, name=name, updated_at=self._clock())
        return await self.get(caller, drill_id)

    async def delete(self, caller: Caller, drill_id: DrillId) -> JobId:
        """Admit the deletion; the drill's VPC stays. Raises: SDRS.1002, 1900, 1902, 1913. Source: 5.7.2."""
        operation = BY_JOB_TYPE[JobType.DELETE_DRILL]
        async with self._admitting() as connection:
            drill = await get_drill(connection, caller, drill_id)
            group = await lock_group(connection, caller, drill.group_id)
            check_group_status(group, JobType.DELETE_DRILL)
            moved = await rows.move(
                connection, Drill, drill.id, operation.allowed, operation.pending, updated_at=self._clock()
            )
            if not moved:
                raise refused(operation.refusal, f"drill {drill.name} is {drill.status}")
            return await admit(
                connection,
                operation=operation,
                project_id=caller.project_id,
                request_id=caller.request_id,
                resource_id=drill.id,
                resource_name=drill.name,
                group_id=group.id,
                params={},
                entities={"disaster_recovery_drill_id": drill.id, "server_group_id": group.id},
            )
