"""Run one step of one job: retries, time limit, and the translation of what went wrong into a `Failure`."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Generic

from opensdrs.domain.errors import Refused, SiteFault, Superseded
from opensdrs.domain.ids import JobId
from opensdrs.domain.model import Job
from opensdrs.domain.operations import BY_JOB_TYPE, JobType
from opensdrs.domain.statuses import JobStatus
from opensdrs.jobs.flow import Action, C, Failure, Flow, Step
from opensdrs.store import rows
from opensdrs.store.database import Database

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# How long a step that bounds itself by its progress goes on asking a site that does not answer at all.
_PATIENCE_S = 300.0

Observer = Callable[[JobId, str, str], None]


def _nobody(_job_id: JobId, _step: str, _moment: str) -> None:
    """Observe nothing."""


class Runner(Generic[C]):
    """Knows the flows and how to build a context for a job. `observer` is told "before" and "after" each step."""

    def __init__(
        self,
        database: Database,
        flows: Mapping[JobType, Flow[C]],
        context: Callable[[Job], C],
        observer: Observer = _nobody,
    ) -> None:
        self._database = database
        self._flows = flows
        self._context = context
        self._observer = observer

    def flow(self, job_type: str) -> Flow[C]:
        """Return the flow of a job type."""
        return self._flows[JobType(job_type)]

    async def begin(self, job_id: JobId) -> str:
        """Mark the job as running; return its type."""
        async with self._database.write() as connection:
            await rows.move(connection, Job, job_id, {JobStatus.INIT}, JobStatus.RUNNING)
            return (await rows.get(connection, Job, job_id)).job_type

    async def step(self, job_id: JobId, index: int) -> Failure | None:
        """Run step `index`, again and again while a site's fault is transient and time remains."""
        job = await self._job(job_id)
        flow = self.flow(job.job_type)
        step = flow.steps[index]
        self._observer(job_id, step.name, "before")
        await self._note(job_id, step=step.name, progress=_percent(index, len(flow.steps)))
        failure, _ = await self._attempt(job, step, step.act)
        if failure is None:
            self._observer(job_id, step.name, "after")
        return failure

    async def undo(self, job_id: JobId, index: int) -> Failure | None:
        """Undo step `index`; return why something may be left behind.

        None also where a site did not answer: the next try of the operation brings it in order.
        """
        job = await self._job(job_id)
        step = self.flow(job.job_type).steps[index]
        assert step.undo is not None
        failure, is_transient = await self._attempt(job, step, step.undo)
        if failure is not None:
            _log.warning("job.undo.failed", extra={"job_id": job_id, "step": step.name, "reason": failure.reason})
        return None if is_transient else failure

    async def settle(self, job_id: JobId, failure: Failure | None) -> None:
        """Give the resources and the job their final status."""
        job = await self._job(job_id)
        if job.status in (JobStatus.SUCCESS, JobStatus.FAIL):
            return
        await self.flow(job.job_type).settle(self._context(job), failure)
        level = logging.INFO if failure is None else logging.ERROR
        _log.log(
            level,
            "job.settled",
            extra={
                "job_id": job_id,
                "job_type": job.job_type,
                "resource_id": job.resource_id,
                "request_id": job.request_id,
                "error_code": failure.code if failure else None,
                "reason": failure.reason if failure else None,
            },
        )

    async def _job(self, job_id: JobId) -> Job:
        async with self._database.read() as connection:
            return await rows.get(connection, Job, job_id)

    async def _note(self, job_id: JobId, **values: object) -> None:
        async with self._database.write() as connection:
            await rows.update(connection, Job, job_id, **values)

    async def _attempt(self, job: Job, step: Step[C], action: Action[C]) -> tuple[Failure | None, bool]:
        """Return why it failed, and whether a site was silent to the end."""
        began = patient_since = time.monotonic()
        patience_s = _PATIENCE_S if step.timeout_s is None else step.timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            tried = time.monotonic()
            failure, is_transient = await self._once(job, step, action, began)
            elapsed_s = time.monotonic() - began
            if failure is None:
                _log.info(
                    "job.step.done",
                    extra={
                        "job_id": job.id,
                        "step": step.name,
                        "ms": round(elapsed_s * 1000),
                        "request_id": job.request_id,
                    },
                )
                return None, False
            if step.timeout_s is None and time.monotonic() - tried > _LONGEST_PAUSE_S:
                patient_since, pause_s = time.monotonic(), _FIRST_PAUSE_S  # it got on for a while: count anew
            if not is_transient or time.monotonic() - patient_since + pause_s >= patience_s:
                return failure, is_transient
            _log.warning("job.step.retry", extra={"job_id": job.id, "step": step.name, "reason": failure.reason})
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _once(self, job: Job, step: Step[C], action: Action[C], began: float) -> tuple[Failure | None, bool]:
        code = BY_JOB_TYPE[JobType(job.job_type)].failure  # for want of a better one
        left_s = None if step.timeout_s is None else step.timeout_s - (time.monotonic() - began)
        try:
            async with asyncio.timeout(left_s):
                await action(self._context(job))
        except Superseded as error:
            return Failure(code=code, reason=f"{step.name}: {error}", is_superseded=True), False
        except Refused as error:
            return Failure(code=error.kind.code, reason=f"{step.name}: {error.text}"), False
        except SiteFault as error:
            return Failure(code=step.code_of(error) or code, reason=f"{step.name}: {error}"), error.is_transient
        except rows.RowMissing as error:
            return Failure(code="SDRS.0010", reason=f"{step.name}: {error}; it was deleted meanwhile"), False
        except TimeoutError:
            return Failure(code=code, reason=f"{step.name}: not done within {step.timeout_s} s"), False
        except Exception:  # noqa: BLE001 - a bug must still end the job, with its trace in the log
            _log.error("job.step.bug", extra={"job_id": job.id, "step": step.name, "trace": traceback.format_exc()})
            return Failure(code="SDRS.0013", reason=f"{step.name}: internal error; see the log of the service"), False
        return None, False


def _percent(done: int, of: int) -> int:
    return min(99, done * 100 // max(of, 1))
