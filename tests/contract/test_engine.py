"""The job engine on the real workflow library: jobs start at once, end, and survive the death of the process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from opensdrs.domain.ids import JobId
from opensdrs.domain.model import Job
from opensdrs.domain.statuses import GroupStatus, JobStatus
from opensdrs.flows.context import Context
from opensdrs.flows.table import FLOWS
from opensdrs.jobs.engine import Engine
from opensdrs.jobs.outbox import Outbox
from opensdrs.jobs.runner import Runner
from opensdrs.services.requests import NewGroup
from opensdrs.services.sdrs import build_services
from tests.crash.world import AZ1, AZ2, DOMAIN, World, world
from tests.waiting import eventually


@asynccontextmanager
async def engine(at: World, folder: Path, outbox: Outbox) -> AsyncIterator[Engine]:
    runner = Runner(at.database, FLOWS, lambda job: Context(job, at.database, at.sites))
    running = Engine(at.database, f"sqlite:///{folder / 'workflows.sqlite'}", runner, outbox, "test")
    await running.start()
    try:
        yield running
    finally:
        await running.close()


def wanted(at: World, name: str) -> NewGroup:
    return NewGroup(
        name=name, source_availability_zone=AZ1, target_availability_zone=AZ2, domain_id=DOMAIN,
        source_vpc_id=at.vpc_id,
    )  # fmt: skip


async def ended(at: World, job_id: JobId) -> Job:
    return await eventually(
        lambda: at.job(job_id), lambda job: job.status in (JobStatus.SUCCESS, JobStatus.FAIL), timeout_s=30
    )


async def test_job_when_admitted_then_runs_to_its_end(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        outbox = Outbox()
        services = build_services(at.database, outbox, lambda: 1.0)
        async with engine(at, tmp_path, outbox):
            job_id = await services.groups.create(at.caller, wanted(at, "one"))
            job = await ended(at, job_id)
        assert (job.status, job.error_code) == (JobStatus.SUCCESS, None)


async def test_job_when_admitted_without_an_engine_then_starts_with_the_next_one(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        outbox = Outbox()
        services = build_services(at.database, outbox, lambda: 1.0)
        job_ids = [await services.groups.create(at.caller, wanted(at, f"group-{number}")) for number in range(5)]
        async with engine(at, tmp_path, outbox):
            jobs = await asyncio.gather(*(ended(at, job_id) for job_id in job_ids))
        assert {job.status for job in jobs} == {JobStatus.SUCCESS}


async def test_job_when_a_site_stays_away_then_fails_with_code_and_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        outbox = Outbox()
        services = build_services(at.database, outbox, lambda: 1.0)
        at.sites[AZ2].crash()
        async with engine(at, tmp_path, outbox):
            job = await ended(at, await services.groups.create(at.caller, wanted(at, "lost")))
        assert (job.status, job.error_code) == (JobStatus.FAIL, "SDRS.1014")
        assert job.fail_reason is not None
        assert AZ2 in job.fail_reason
        at.group_id = job.resource_id
        assert (await at.group()).status is GroupStatus.ERROR


async def test_process_when_killed_in_a_step_then_the_next_one_ends_the_job(tmp_path: Path) -> None:
    """A real process dies by SIGKILL inside a step; a second one, started on the same files, finishes the job."""
    program = Path(__file__).with_name("engine_process.py")
    first = await asyncio.create_subprocess_exec(sys.executable, str(program), str(tmp_path), "die")
    assert await first.wait() == -9
    second = await asyncio.create_subprocess_exec(
        sys.executable, str(program), str(tmp_path), "finish", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await second.communicate()
    assert second.returncode == 0
    assert out.decode().split() == ["SUCCESS", "check-sites", "available"]
