"""Protected instances: show, list, rename. Source: 5.5.3 - 5.5.5."""

from collections.abc import Sequence

from opensdrs.domain.ids import InstanceId
from opensdrs.domain.model import Instance
from opensdrs.domain.statuses import InstanceStatus
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Service
from opensdrs.services.listing import basic, check_query_type, of_groups
from opensdrs.services.lookup import get_instance
from opensdrs.services.requests import Filter
from opensdrs.services.text import check_name
from opensdrs.services.views import InstanceView, view_instances
from opensdrs.store import rows, tables


class InstanceService(Service):
    """Protected instances of one project at a time."""

    async def get(self, caller: Caller, instance_id: InstanceId) -> InstanceView:
        """Raises: SDRS.0208, SDRS.1320. Source: 5.5.4."""
        async with self._database.read() as connection:
            return (await view_instances(connection, [await get_instance(connection, caller, instance_id)]))[0]

    async def list(self, caller: Caller, wanted: Filter) -> tuple[Sequence[InstanceView], int]:
        """Return a page, newest first, and the number of all matches. Raises: SDRS.0201. Source: 5.5.3."""
        check_query_type(wanted.query_type, ("status_abnormal",))
        where = [*basic(tables.instances, wanted, InstanceStatus), *of_groups(tables.instances, wanted)]
        if wanted.instance_ids and not wanted.group_ids:  # MATRIX B7: a group filter wins
            where.append(tables.instances.c.id.in_(wanted.instance_ids))
        async with self._database.read() as connection:
            page, count = await rows.page(
                connection, Instance, caller.scope, where,
                limit=wanted.limit, offset=wanted.offset, marker=wanted.marker,
            )  # fmt: skip
            return await view_instances(connection, page), count

    async def rename(self, caller: Caller, instance_id: InstanceId, name: str) -> InstanceView:
        """Raises: SDRS.0202, 0208, 1320. Source: 5.5.5."""
        check_name(name)
        async with self._database.write() as connection:
            instance = await get_instance(connection, caller, instance_id)
            await rows.update(connection, Instance, instance.id, name=name, updated_at=self._clock())
        return await self.get(caller, instance_id)
