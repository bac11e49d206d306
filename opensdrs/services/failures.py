"""The task centre: jobs that failed and were not dismissed yet. Source: 5.9."""

from collections.abc import Sequence

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId
from opensdrs.domain.model import Job
from opensdrs.domain.operations import OPERATIONS, FailureStatus, Resource
from opensdrs.domain.statuses import JobStatus
from opensdrs.iam.caller import Caller
from opensdrs.services.lookup import get_group
from opensdrs.services.requests import FailureFilter
from opensdrs.store import rows, tables
from opensdrs.store.database import Database
from opensdrs.store.rows import Where

_JOBS = tables.jobs
_FAILURE_STATUSES = frozenset(FailureStatus)


class FailureService:
    """Shows failed jobs, and hides them when asked to; the jobs themselves stay."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, caller: Caller, wanted: FailureFilter) -> tuple[Sequence[Job], int]:
        """Return a page, newest first, and the number of all matches. Raises: SDRS.0201, 0209. Source: 5.9.1."""
        _check(wanted)
        where = [*_visible(), *_of(wanted.group_id)]
        if wanted.failure_status:
            types = [row.job_type for row in OPERATIONS if row.failure_status == wanted.failure_status]
            where.append(_JOBS.c.job_type.in_(types))
        if wanted.resource_name:
            where.append(_JOBS.c.resource_name.icontains(wanted.resource_name, autoescape=True))
        if wanted.resource_type:
            where.append(_JOBS.c.resource_type == wanted.resource_type)
        async with self._database.read() as connection:
            return await rows.page(
                connection, Job, caller.scope, where,
                limit=wanted.limit, offset=wanted.offset, marker=wanted.marker, order="begin_time",
            )  # fmt: skip

    async def dismiss(self, caller: Caller, failure_id: str) -> None:
        """Hide one failure by its job, or those of a resource (MATRIX D4). Raises: SDRS.0408. Source: 5.9.2."""
        named = sa.or_(_JOBS.c.id == failure_id, _JOBS.c.resource_id == failure_id)
        if not await self._dismiss(caller, [named]):
            raise refused("SDRS.0408", "no failed task has this id", remedy="List the failed tasks to find its id.")

    async def dismiss_groups(self, caller: Caller) -> None:
        """Hide all failures of groups themselves. Source: 5.9.3."""
        await self._dismiss(caller, _of(None))

    async def dismiss_in_group(self, caller: Caller, group_id: GroupId) -> None:
        """Hide all failures in a group. Raises: SDRS.0207, SDRS.1013. Source: 5.9.4."""
        async with self._database.read() as connection:
            await get_group(connection, caller, group_id)
        await self._dismiss(caller, _of(group_id))

    async def _dismiss(self, caller: Caller, where: Sequence[Where]) -> int:
        async with self._database.write() as connection:
            jobs = await rows.select(connection, Job, caller.scope, *_visible(), *where)
            for job in jobs:
                await rows.update(connection, Job, job.id, dismissed=True)
        return len(jobs)


def _check(wanted: FailureFilter) -> None:
    """Raises: SDRS.0201 or SDRS.0209 for a word that 5.9.1 does not have."""
    if wanted.failure_status and wanted.failure_status not in _FAILURE_STATUSES:
        raise refused("SDRS.0209", f"failure_status is one of {', '.join(sorted(_FAILURE_STATUSES))}")
    if wanted.resource_type and wanted.resource_type not in list(Resource):
        raise refused("SDRS.0201", f"resource_type is one of {', '.join(Resource)}")


def _visible() -> list[Where]:
    return [_JOBS.c.status == JobStatus.FAIL, _JOBS.c.parent_id.is_(None), _JOBS.c.dismissed.is_(False)]


def _of(group_id: GroupId | None) -> list[Where]:
    if group_id is None:
        return [_JOBS.c.resource_type == Resource.GROUP]
    return [_JOBS.c.group_id == group_id]
