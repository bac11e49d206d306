"""The engine when the workflow itself breaks: the job still ends, with a code and a reason."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from opensdrs.domain.ids import JobId
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, JobStatus
from opensdrs.flows.context import Context
from opensdrs.flows.table import FLOWS
from opensdrs.jobs.engine import Engine, Launch
from opensdrs.jobs.flow import Failure
from opensdrs.jobs.outbox import Outbox
from opensdrs.jobs.runner import Runner
from tests.contract.test_engine import ended, wanted
from tests.crash.world import World, world


async def code_after(
    at: World, folder: Path, outbox: Outbox, runner: Runner[Context], launch: Launch | None = None
) -> tuple[str | None, str]:
    """Run a creation of a group; return the code that its job ends with, and the group's status."""
    engine = Engine(at.database, f"sqlite:///{folder / 'workflows.sqlite'}", runner, outbox, "test", launch)
    await engine.start()
    try:
        job = await ended(at, await at.services.groups.create(at.caller, wanted(at, "g")))
    finally:
        await engine.close()
    at.group_id = job.resource_id
    assert job.status is JobStatus.FAIL
    assert "boom" in (job.fail_reason or "")
    return job.error_code, (await at.group()).status


async def test_job_when_its_workflow_never_starts_then_0404(tmp_path: Path) -> None:
    tries: Counter[JobId] = Counter()
    outbox = Outbox()

    async def launch(job_id: JobId) -> None:
        tries[job_id] += 1
        outbox.notify()  # look again at once
        raise RuntimeError("boom")

    async with world(tmp_path) as at:
        runner = Runner(at.database, FLOWS, lambda job: Context(job, at.database, at.sites))
        code = await code_after(at, tmp_path, outbox, runner, launch)  # type: ignore[arg-type]
        assert code == ("SDRS.0404", GroupStatus.ERROR)
        assert set(tries.values()) == {5}


@pytest.mark.parametrize("broken", [1, 2])
async def test_job_when_its_workflow_breaks_then_0405(tmp_path: Path, broken: int) -> None:
    settled: list[Failure | None] = []
    flow = FLOWS[JobType.CREATE_GROUP]

    async def settle(context: Context, failure: Failure | None) -> None:
        settled.append(failure)
        if len(settled) < broken + 1:
            raise RuntimeError("boom")
        await flow.settle(context, failure)

    async with world(tmp_path) as at:
        flows = {**FLOWS, JobType.CREATE_GROUP: replace(flow, settle=settle)}
        runner = Runner(at.database, flows, lambda job: Context(job, at.database, at.sites))
        code = await code_after(at, tmp_path, Outbox(), runner)
        assert code == ("SDRS.0405", GroupStatus.ERROR)
