"""The durable side of jobs: DBOS runs every job as a workflow whose steps are checkpointed.

A killed process starts its unfinished jobs again at the step where they were. DBOS recovers workflows on a loop of
its own; every effect runs on the loop that started the engine, where the databases' and sites' connections live.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowHandleAsync

from opensdrs.domain.ids import JobId
from opensdrs.domain.model import Job
from opensdrs.jobs.flow import Failure
from opensdrs.jobs.outbox import Outbox
from opensdrs.jobs.runner import Runner
from opensdrs.store import rows
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import jobs

_log = logging.getLogger(__name__)
_RESCAN_S = 5.0
_MOST_AT_ONCE = 64
_MOST_STARTS = 5
_SETTLE_PAUSES_S = (0.1, 0.5, 2.0, 10.0)
# Workflows of earlier versions of the program are recovered as well: flows are idempotent and steps are named.
_VERSION = "1"

T = TypeVar("T")
Launch = Callable[[JobId], Awaitable[WorkflowHandleAsync[None]]]


class Engine:
    """Starts admitted jobs and carries them to their end. One per process: DBOS is a process-wide library."""

    _current: ClassVar["Engine | None"] = None

    def __init__(
        self,
        database: Database,
        dbos_url: str,
        runner: Runner[Any],
        outbox: Outbox,
        executor: str,
        launch: Launch | None = None,
    ) -> None:
        self._database = database
        self._runner = runner
        self._outbox = outbox
        self._launch = launch or _start_workflow
        self._refused: Counter[JobId] = Counter()
        self._config: DBOSConfig = {
            "name": "opensdrs",
            "system_database_url": dbos_url,
            "executor_id": executor,
            "application_version": _VERSION,
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": 1.0,
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Recover what was unfinished, then start jobs as they are admitted."""
        self._loop = asyncio.get_running_loop()
        Engine._current = self
        DBOS(config=self._config)
        await asyncio.to_thread(DBOS.launch)
        self._dispatcher = asyncio.create_task(self._dispatch(), name="jobs.dispatch")

    async def close(self) -> None:
        """Stop; unfinished jobs go on at the next start."""
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            await asyncio.gather(self._dispatcher, *self._cancelled(), return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy)

    def _cancelled(self) -> set[asyncio.Task[None]]:
        for task in self._running:
            task.cancel()
        return set(self._running)

    async def _dispatch(self) -> None:
        while True:
            for job in await self._waiting():
                await self._slots.acquire()
                task = asyncio.create_task(self._start(job.id), name=f"job.{job.id}")
                self._running.add(task)
                task.add_done_callback(self._ended)
            await self._outbox.wait(_RESCAN_S)

    async def _waiting(self) -> list[Job]:
        known = {task.get_name().removeprefix("job.") for task in self._running}
        async with self._database.read() as connection:
            found = await rows.select(connection, Job, SYSTEM, jobs.c.enqueued.is_(False))
        return sorted((job for job in found if job.id not in known), key=lambda job: job.begin_time)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            _log.error("job.lost", extra={"task": task.get_name(), "error": repr(task.exception())})

    async def _start(self, job_id: JobId) -> None:
        try:
            handle = await self._launch(job_id)
        except Exception as error:  # noqa: BLE001 - whatever keeps the workflow from starting, the job must end
            await self._not_started(job_id, error)
            return
        self._refused.pop(job_id, None)
        async with self._database.write() as connection:
            await rows.update(connection, Job, job_id, enqueued=True)
        try:
            await handle.get_result()
        except Exception as error:  # noqa: BLE001 - whatever broke the workflow, the job must end
            _log.error("job.workflow.broken", extra={"job_id": job_id, "error": repr(error)})
            await self._end(job_id, Failure(code="SDRS.0405", reason=f"the workflow broke: {error}"))

    async def _not_started(self, job_id: JobId, error: Exception) -> None:
        """Leave the job to the next look, or end it when that was tried often enough."""
        self._refused[job_id] += 1
        _log.error("job.not.started", extra={"job_id": job_id, "try": self._refused[job_id], "error": repr(error)})
        if self._refused[job_id] < _MOST_STARTS:
            return
        del self._refused[job_id]
        async with self._database.write() as connection:
            await rows.update(connection, Job, job_id, enqueued=True)
        await self._end(job_id, Failure(code="SDRS.0404", reason=f"the workflow does not start: {error}"))

    async def _end(self, job_id: JobId, failure: Failure) -> None:
        """Settle a job that has no workflow any more; what stands in the way may be over in a moment."""
        for pause_s in _SETTLE_PAUSES_S:
            try:
                return await self._runner.settle(job_id, failure)
            except Exception as error:  # noqa: BLE001 - as above
                _log.error("job.settle.failed", extra={"job_id": job_id, "error": repr(error)})
                await asyncio.sleep(pause_s)
        await self._runner.settle(job_id, failure)

    async def on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run an effect on the engine's own loop, wherever the workflow runs."""
        assert self._loop is not None
        if asyncio.get_running_loop() is self._loop:
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    @classmethod
    def current(cls) -> "Engine":
        """Return the engine of this process, for workflows that DBOS starts."""
        if cls._current is None:
            raise RuntimeError("the job engine is not started")
        return cls._current

    @property
    def runner(self) -> Runner[Any]:
        """The runner of steps."""
        return self._runner


def _current() -> Engine:
    return Engine.current()


async def _begin(job_id: str) -> str:
    engine = _current()
    return await engine.on_loop(engine.runner.begin(JobId(job_id)))


async def _step(job_id: str, index: int) -> dict[str, Any] | None:
    engine = _current()
    return _as_json(await engine.on_loop(engine.runner.step(JobId(job_id), index)))


def _as_json(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {"code": failure.code, "reason": failure.reason, "is_superseded": failure.is_superseded}


async def _undo(job_id: str, index: int) -> dict[str, Any] | None:
    engine = _current()
    return _as_json(await engine.on_loop(engine.runner.undo(JobId(job_id), index)))


async def _settle(job_id: str, failure: dict[str, Any] | None) -> None:
    engine = _current()
    await engine.on_loop(engine.runner.settle(JobId(job_id), Failure(**failure) if failure else None))


async def _start_workflow(job_id: JobId) -> WorkflowHandleAsync[None]:
    with SetWorkflowID(job_id):  # the same id never runs twice, whatever was marked before a crash
        return await DBOS.start_workflow_async(_run_job, job_id)


@DBOS.workflow(name="run_job", max_recovery_attempts=None)
async def _run_job(job_id: str) -> None:
    """Run the flow of a job: its steps in order; on a failure before the pivot their undos, last first; then settle."""
    job_type = await DBOS.run_step_async({"name": "begin"}, _begin, job_id)
    flow = _current().runner.flow(job_type)
    failure: dict[str, Any] | None = None
    done = 0
    for index, step in enumerate(flow.steps):
        done = index + 1
        failure = await DBOS.run_step_async({"name": step.name}, _step, job_id, index)
        if failure is not None:
            break
    if failure is not None and not failure["is_superseded"]:
        for step in flow.undos(done):
            undone = await DBOS.run_step_async({"name": f"undo {step.name}"}, _undo, job_id, flow.steps.index(step))
            failure = _as_json(Failure(**failure).left_behind(Failure(**undone) if undone else None))
            assert failure is not None
    await DBOS.run_step_async({"name": "settle"}, _settle, job_id, failure)
