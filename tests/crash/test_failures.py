"""A failed job has the precise code of the catalogue: of its step where a site says no, of the operation else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opensdrs.cloud.eips import EipPool
from opensdrs.domain.errors import Cause, Refused
from opensdrs.domain.ids import InstanceId
from opensdrs.domain.infrastructure import Attachment, Port, Server, Volume
from opensdrs.domain.model import Drill, Instance, Job
from opensdrs.domain.statuses import JobStatus, PairStatus
from opensdrs.flows import protection
from opensdrs.flows.context import Context
from opensdrs.flows.table import FLOWS
from opensdrs.jobs.flow import Failure
from opensdrs.services.requests import InstanceDeletion
from opensdrs.sites.model import Mode
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, drill_servers, pairs, ports, servers, volumes, witnesses
from tests.crash.admissions import ADMISSIONS, create_drill, create_group, create_instance
from tests.crash.world import AZ1, AZ2, World, world
from tests.faulty import Fault, FaultySite

_PATIENCE_S = 0.5


def to(mode: Mode) -> Any:
    return lambda spec: spec.mode is mode


def with_nics(count: int) -> Any:
    return lambda spec: len(spec.nics) == count


async def finish(at: World, job_id: str, *faults: Fault) -> Job:
    """Run a job while both sites have these faults; steps are impatient, so that silence is soon too long."""
    at.flows = {
        name: replace(
            flow, steps=tuple(replace(step, timeout_s=min(step.timeout_s or 3.0, 3.0)) for step in flow.steps)
        )
        for name, flow in FLOWS.items()
    }
    calm = dict(at.sites)
    for name, site in calm.items():
        at.sites[name] = FaultySite(site, list(faults))  # type: ignore[assignment]
    job = await at.finish(job_id)
    at.sites.update(calm)
    return job


@pytest.mark.parametrize(
    ("operation", "fault", "code"),
    [
        ("create_group", Fault("describe"), "SDRS.1014"),
        ("delete_group", Fault("ensure_group_absent"), "SDRS.1016"),
        ("start", Fault("ensure_group", when=to(Mode.MIRROR)), "SDRS.1027"),
        ("start", Fault("ensure_group"), "SDRS.0407"),
        ("stop", Fault("ensure_group", when=to(Mode.IDLE)), "SDRS.1028"),
        ("reverse", Fault("demote"), "SDRS.1029"),
        ("failover", Fault("ensure_group", when=to(Mode.RECORD)), "SDRS.1030"),
        ("reprotect", Fault("ensure_group", when=to(Mode.MIRROR)), "SDRS.1032"),
        ("reprotect", Fault("ensure_power"), "SDRS.1308"),
        ("create_instance", Fault("ensure_volume", Cause.NO_SPACE), "SDRS.1812"),
        ("create_instance", Fault("ensure_volume", Cause.CONFLICT), "SDRS.1814"),
        ("create_instance", Fault("ensure_server"), "SDRS.1306"),
        ("create_instance_in_protected", Fault("ensure_group"), "SDRS.1350"),
        ("delete_instance", Fault("ensure_power"), "SDRS.1308"),
        ("delete_instance", Fault("ensure_server_absent"), "SDRS.1307"),
        ("create_pair", Fault("ensure_volume", Cause.NO_SPACE), "SDRS.1812"),
        ("create_pair", Fault("ensure_volume", Cause.CONFLICT), "SDRS.1814"),
        ("create_pair", Fault("ensure_group"), "SDRS.1609"),
        ("delete_pair", Fault("ensure_group"), "SDRS.1607"),
        ("delete_pair", Fault("ensure_volume_absent"), "SDRS.1813"),
        ("attach_pair", Fault("ensure_server"), "SDRS.1807"),
        ("detach_pair", Fault("ensure_server"), "SDRS.1808"),
        ("add_nic", Fault("ensure_server", when=with_nics(2)), "SDRS.1317"),
        ("add_nic", Fault("ensure_server", Cause.UNREACHABLE, with_nics(2)), "SDRS.1312"),
        ("add_nic", Fault("ensure_server"), "SDRS.0407"),
        ("delete_nic", Fault("ensure_server", when=with_nics(1)), "SDRS.1318"),
        ("delete_nic", Fault("ensure_server", Cause.UNREACHABLE, with_nics(1)), "SDRS.1313"),
        ("resize", Fault("ensure_server", when=lambda spec: spec.memory_mib > 128), "SDRS.1329"),
        ("extend", Fault("ensure_volume_size"), "SDRS.1820"),
        ("create_drill", Fault("ensure_snapshot", Cause.NOT_FOUND), "SDRS.1904"),
        ("create_drill", Fault("ensure_snapshot", Cause.NO_SPACE), "SDRS.1905"),
        ("create_drill", Fault("ensure_server"), "SDRS.1306"),
        ("delete_drill", Fault("ensure_power"), "SDRS.1308"),
        ("delete_drill", Fault("ensure_server_absent"), "SDRS.1307"),
        ("delete_drill", Fault("ensure_volume_absent"), "SDRS.1906"),
    ],
    ids=lambda value: value.verb if isinstance(value, Fault) else value,
)
async def test_job_when_a_site_says_no_then_the_code_of_the_step(
    tmp_path: Path, operation: str, fault: Fault, code: str
) -> None:
    async with world(tmp_path) as at:
        job = await finish(at, await ADMISSIONS[operation](at), fault)
        assert (job.status, job.error_code) == (JobStatus.FAIL, code), job.fail_reason
        assert "as the test wants it" in (job.fail_reason or "")


@pytest.mark.parametrize(
    ("operation", "verb", "code"),
    [
        ("create_instance", "ensure_server", "SDRS.1350"),
        ("delete_instance", "ensure_server_absent", "SDRS.1351"),
        ("create_pair", "ensure_volume", "SDRS.1609"),
        ("delete_pair", "ensure_volume_absent", "SDRS.1607"),
        ("attach_pair", "ensure_server", "SDRS.1821"),
        ("detach_pair", "ensure_server", "SDRS.1822"),
        ("create_drill", "ensure_power", "SDRS.1922"),
        ("delete_drill", "ensure_volume_absent", "SDRS.1923"),
    ],
)
async def test_job_when_a_site_is_silent_then_the_code_of_the_operation(
    tmp_path: Path, operation: str, verb: str, code: str
) -> None:
    async with world(tmp_path) as at:
        job = await finish(at, await ADMISSIONS[operation](at), Fault(verb, Cause.UNREACHABLE))
        assert (job.status, job.error_code) == (JobStatus.FAIL, code), job.fail_reason


async def test_job_when_it_failed_then_its_parts_say_so(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job = await finish(at, await create_instance(at), Fault("ensure_volume"))
        async with at.database.read() as connection:
            parts = [row for row in await rows.select(connection, Job, SYSTEM) if row.parent_id == job.id]
        assert [(part.status, part.error_code, part.fail_reason) for part in parts] == [
            ("FAIL", "SDRS.0406", job.fail_reason)
        ] * 2


async def test_job_when_its_group_cannot_be_looked_at_then_0403(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job_id = await create_group(at)
        async with at.database.write() as connection:
            await connection.execute(witnesses.delete())
        assert (await finish(at, job_id)).error_code == "SDRS.0403"


async def test_job_when_a_row_was_deleted_meanwhile_then_0010(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job_id = await create_instance(at)
        async with at.database.write() as connection:
            (dr,) = [row for row in await rows.select(connection, Server, SYSTEM) if row.site == AZ2]
            await rows.delete_where(connection, Port, ports.c.server_id == dr.id)
            await rows.delete_where(connection, Attachment, attachments.c.server_id == dr.id)
            await rows.delete(connection, Server, [dr.id])
        job = await finish(at, job_id)
        assert (job.error_code, dr.id in (job.fail_reason or "")) == ("SDRS.0010", True)


async def test_job_when_its_site_is_not_configured_any_more_then_0012(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job_id = await create_group(at)
        del at.sites[AZ2]
        job = await finish(at, job_id)
        assert (job.error_code, AZ2 in (job.fail_reason or "")) == ("SDRS.0012", True)


async def test_copy_when_no_byte_moves_any_more_then_0008(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        job = await at.job(await ADMISSIONS["create_pair"](at))
        # The site was never told of the pair, so its copy is never complete.
        async with at.database.write() as connection:
            await connection.execute(pairs.update().values(status=PairStatus.STARTING))
        with pytest.raises(Refused) as stalled:
            await protection.follow_copy(Context(job, at.database, at.sites), stall_s=0.0)
        assert (stalled.value.kind.code, AZ1 in stalled.value.text) == ("SDRS.0008", True)


@pytest.mark.parametrize(
    ("table", "code"),
    [(servers, "SDRS.1914"), (volumes, "SDRS.1915"), (ports, "SDRS.1917"), (attachments, "SDRS.1919")],
    ids=lambda value: getattr(value, "name", value),
)
async def test_create_drill_when_a_record_of_it_is_gone_then_its_code(tmp_path: Path, table: Any, code: str) -> None:
    async with world(tmp_path) as at:
        job_id = await create_drill(at)
        drill_id = (await at.job(job_id)).resource_id
        async with at.database.write() as connection:
            mine = [row.id for row in await rows.select(connection, Server, SYSTEM, servers.c.managed_by == drill_id)]
            await rows.delete_where(connection, Attachment, attachments.c.server_id.in_(mine))
            if table is not attachments:
                await rows.delete_where(connection, Port, ports.c.server_id.in_(mine))
            if table is servers:
                await rows.delete(connection, Server, mine)
            if table is volumes:
                await rows.delete_where(connection, Volume, volumes.c.managed_by == drill_id)
            assert await rows.count(connection, Drill, SYSTEM)
            assert (await connection.execute(drill_servers.select())).first()
        assert (await finish(at, job_id)).error_code == code


async def test_delete_instance_when_its_eip_cannot_be_closed_then_1331(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create_group()
        await at.create_instance()
        async with at.database.read() as connection:
            instance = await rows.get(connection, Instance, at.instance_id)
            (port,) = await rows.select(connection, Port, SYSTEM, ports.c.server_id == instance.target_server_id)
        at.cloud.eips._pool = EipPool(first_port=20100, last_port=20199)
        eip = await at.cloud.eips.allocate(at.caller.project_id, 22)
        await at.cloud.eips.associate(at.caller.scope, eip.id, port.id)
        await at.cloud.servers.start(at.caller.scope, instance.target_server_id)
        deletion = InstanceDeletion(delete_target_eip=True)
        job_id = await at.services.instance_deletion.delete(at.caller, InstanceId(at.instance_id), deletion)
        assert (await finish(at, job_id, Fault("ensure_server"))).error_code == "SDRS.1331"
        job_id = await at.services.instance_deletion.delete(at.caller, InstanceId(at.instance_id), deletion)
        assert (await at.finish(job_id)).status is JobStatus.SUCCESS
        report = await at.sites[AZ2].get_server(instance.target_server_id)
        assert report.state == "running"


def test_failure_when_nothing_is_left_behind_then_the_first_reason_stays() -> None:
    first = Failure(code="SDRS.1027", reason="a")
    assert first.left_behind(None) is first
    assert first.left_behind(Failure(code="SDRS.1027", reason="b")).code == "SDRS.0407"
