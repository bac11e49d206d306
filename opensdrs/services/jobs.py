"""Jobs as callers see them. Source: 5.1.1."""

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import JobId, is_id_shaped
from opensdrs.domain.model import Job
from opensdrs.iam.caller import Caller
from opensdrs.services.views import JobView
from opensdrs.store import rows, tables
from opensdrs.store.database import Database


class JobService:
    """Shows jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, job_id: JobId) -> JobView:
        """Return a job and its parts. Raises: SDRS.0408, also for a malformed id (MATRIX A12)."""
        async with self._database.read() as connection:
            job = await rows.find(connection, Job, job_id, caller.scope) if is_id_shaped(job_id) else None
            if job is None:
                raise refused("SDRS.0408", "no job has this id", remedy="Use the job_id that an operation returned.")
            parts = await rows.select(connection, Job, caller.scope, tables.jobs.c.parent_id == job.id)
        return JobView(job=job, parts=sorted(parts, key=lambda part: (part.begin_time, part.resource_name)))
