"""A process for `test_engine.py`: `die` admits a job and dies inside its step; `finish` lets it end and tells how."""

import asyncio
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from opensdrs.domain.model import Group, Job  # noqa: E402
from opensdrs.flows.context import Context  # noqa: E402
from opensdrs.flows.table import FLOWS  # noqa: E402
from opensdrs.jobs.engine import Engine  # noqa: E402
from opensdrs.jobs.outbox import Outbox  # noqa: E402
from opensdrs.jobs.runner import Runner  # noqa: E402
from opensdrs.services.requests import NewGroup  # noqa: E402
from opensdrs.services.sdrs import build_services  # noqa: E402
from opensdrs.sites.memory import MemorySite  # noqa: E402
from opensdrs.store import rows  # noqa: E402
from opensdrs.store.database import Database  # noqa: E402
from opensdrs.store.rows import SYSTEM  # noqa: E402
from tests.crash.world import AZ1, AZ2, DOMAIN, World, world  # noqa: E402
from tests.waiting import eventually  # noqa: E402


def die(_job_id: str, _step: str, moment: str) -> None:
    if moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)


async def first(folder: Path) -> None:
    async with world(folder) as at:
        outbox = Outbox()
        await start(at, folder, outbox, die)
        services = build_services(at.database, outbox, lambda: 1.0)
        wanted = NewGroup(
            name="one", source_availability_zone=AZ1, target_availability_zone=AZ2, domain_id=DOMAIN,
            source_vpc_id=at.vpc_id,
        )  # fmt: skip
        await services.groups.create(at.caller, wanted)
        await asyncio.Event().wait()


async def start(at: World, folder: Path, outbox: Outbox, observer: object = None) -> Engine:
    arguments = (observer,) if observer else ()
    runner = Runner(at.database, FLOWS, lambda job: Context(job, at.database, at.sites), *arguments)
    engine = Engine(at.database, f"sqlite:///{folder / 'workflows.sqlite'}", runner, outbox, "test")
    await engine.start()
    return engine


async def second(folder: Path) -> None:
    database = Database(f"sqlite:///{folder / 'world.sqlite'}")
    at = World(database, {name: MemorySite(name) for name in (AZ1, AZ2)}, None)
    engine = await start(at, folder, Outbox())

    async def look() -> tuple[Job, Group]:
        async with database.read() as connection:
            (job,) = await rows.select(connection, Job, SYSTEM)
            (group,) = await rows.select(connection, Group, SYSTEM)
            return job, group

    job, group = await eventually(look, lambda seen: seen[0].end_time is not None)
    print(job.status, job.step, group.status)
    await engine.close()
    await database.close()


asyncio.run({"die": first, "finish": second}[sys.argv[2]](Path(sys.argv[1])))
