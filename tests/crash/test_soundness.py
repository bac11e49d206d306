"""`invalid` comes and goes by itself: with rows that somebody deleted, and with what a site lost."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from opensdrs.domain.errors import Refused, SiteFault
from opensdrs.domain.ids import PairId, ServerId
from opensdrs.domain.infrastructure import Attachment, Port, Server, Volume
from opensdrs.domain.model import Instance, Pair
from opensdrs.domain.statuses import FaultLevel, JobStatus
from opensdrs.domain.witness import Copy
from opensdrs.flows.watcher import Watcher
from opensdrs.services.requests import InstanceDeletion, PairAttach, PairDeletion
from opensdrs.sites.model import Power, SiteReport
from opensdrs.store import rows, witness
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, ports
from tests.crash.test_flows import protected
from tests.crash.world import AZ1, AZ2, World, world
from tests.faulty import FaultySite
from tests.waiting import eventually


@dataclass(slots=True)
class LossySite(FaultySite):
    """A site that lost what `lost` names."""

    lost: set[str] = field(default_factory=set)

    async def describe(self) -> SiteReport:
        report = await self.site.describe()
        return replace(
            report,
            servers=tuple(server for server in report.servers if server.server_id not in self.lost),
            volumes=tuple(volume for volume in report.volumes if volume.volume_id not in self.lost),
        )


async def read(at: World, kind: type[Any]) -> list[Any]:
    async with at.database.read() as connection:
        return await rows.select(connection, kind, SYSTEM)


async def statuses(at: World) -> tuple[set[str], set[str]]:
    return {row.status for row in await read(at, Instance)}, {row.status for row in await read(at, Pair)}


async def delete_dr_server_rows(at: World) -> ServerId:
    (instance,) = await read(at, Instance)
    server_id: ServerId = instance.target_server_id
    await at.cloud.servers.delete(at.caller.scope, server_id, force=True)
    return server_id


async def test_instance_when_its_dr_server_was_deleted_then_invalid_and_only_deletion_is_left(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        watcher = Watcher(at.database, at.sites)
        await watcher.check_soundness(ask_sites=True)
        assert await statuses(at) == ({"protected"}, {"protected"})
        await delete_dr_server_rows(at)
        await watcher.check_soundness(ask_sites=False)
        assert await statuses(at) == ({"invalid"}, {"protected"})
        operations = at.services.group_operations
        for operation in (operations.stop(at.caller, at.group_id), operations.failover(at.caller, at.group_id)):
            with pytest.raises(Refused, match="outside this service") as refusal:
                await operation
            assert refusal.value.kind.code == "SDRS.1314"
        wanted = PairAttach(replication_id=(await read(at, Pair))[0].id, device="/dev/vdc")
        with pytest.raises(Refused) as refusal:
            await at.services.attachments.attach(at.caller, at.instance_id, wanted)
        assert refusal.value.kind.code == "SDRS.1314"
        data = next(pair for pair in await read(at, Pair) if pair.name.endswith("vdb"))
        job = await at.finish(await at.services.attachments.detach(at.caller, at.instance_id, data.id))
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        deletion = InstanceDeletion(delete_target_server=True)
        job = await at.finish(await at.services.instance_deletion.delete(at.caller, at.instance_id, deletion))
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await read(at, Instance) == []
        await watcher.check_soundness(ask_sites=True)
        assert await statuses(at) == (set(), {"protected"})


async def test_instance_when_its_row_is_back_then_as_its_group(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        watcher = Watcher(at.database, at.sites)
        (instance,) = await read(at, Instance)
        kept: dict[type[Any], list[Any]] = {}
        async with at.database.write() as connection:
            gone = instance.target_server_id
            for kind, where in ((Attachment, attachments.c.server_id == gone), (Port, ports.c.server_id == gone)):
                kept[kind] = await rows.select(connection, kind, SYSTEM, where)
                await rows.delete_where(connection, kind, where)
            server = await rows.get(connection, Server, gone)
            await rows.delete(connection, Server, [gone])
        await watcher.check_soundness(ask_sites=True)
        assert (await statuses(at))[0] == {"invalid"}
        async with at.database.write() as connection:
            for row in (server, *kept[Attachment], *kept[Port]):
                await rows.insert(connection, row)
        await watcher.check_soundness(ask_sites=False)
        assert (await statuses(at))[0] == {"protected"}


async def test_parts_when_a_site_lost_them_then_invalid_until_they_are_back(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        lossy = LossySite(at.sites[AZ2])
        watcher = Watcher(at.database, {**at.sites, AZ2: lossy})  # type: ignore[dict-item]
        pair = (await read(at, Pair))[0]
        (instance,) = await read(at, Instance)
        lossy.lost = {pair.target_volume_id, instance.target_server_id}
        await watcher.check_soundness(ask_sites=True)
        assert (await statuses(at))[0] == {"invalid"}
        assert {row.id: row.status for row in await read(at, Pair)}[pair.id] == "invalid"
        at.sites[AZ2].crash()
        await watcher.check_soundness(ask_sites=True)  # a silent site lacks what it lacked before
        assert (await statuses(at))[0] == {"invalid"}
        again = Watcher(at.database, at.sites)
        await again.check_soundness(ask_sites=True)  # and of one that was never seen nothing is known
        assert (await statuses(at))[0] == {"invalid"}
        at.sites[AZ2].restart()
        lossy.lost = set()
        await watcher.check_soundness(ask_sites=True)
        assert await statuses(at) == ({"protected"}, {"protected"})


async def test_pair_when_it_is_back_then_not_in_sync_before_it_was_copied(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        watcher = Watcher(at.database, at.sites)
        pair = (await read(at, Pair))[0]
        async with at.database.write() as connection:
            await rows.update(connection, Pair, pair.id, status="invalid")
        async with at.database.read() as connection:
            register = await witness.read(connection, at.group_id)
        assert register.copy is Copy.IN_SYNC
        await watcher.check_soundness(ask_sites=True)
        async with at.database.read() as connection:
            register = await witness.read(connection, at.group_id)
        assert register.copy is Copy.STALE

        async def tended() -> Copy:
            await watcher.tend(at.group_id)
            async with at.database.read() as connection:
                return (await witness.read(connection, at.group_id)).copy

        await eventually(tended, lambda copy: copy is Copy.IN_SYNC, timeout_s=5)


async def test_pair_when_invalid_in_a_protected_group_then_the_others_go_on_and_it_joins_again(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        pair_id = PairId((await at.create_pair()).resource_id)
        async with at.database.write() as connection:
            await rows.update(connection, Pair, pair_id, status="invalid")
        site = at.sites[AZ1]
        await at.finish(await at.services.group_operations.stop(at.caller, at.group_id))
        await at.start()
        report = await site.get_group(at.group_id)
        assert pair_id not in {pair.pair_id for pair in report.pairs}
        watcher = Watcher(at.database, at.sites)
        await watcher.check_soundness(ask_sites=True)

        async def joined() -> set[str]:
            await watcher.tend(at.group_id)
            found = await site.get_group(at.group_id)
            return {str(pair.state) for pair in found.pairs if pair.pair_id == pair_id}

        assert await eventually(joined, lambda states: states == {"in-sync"}, timeout_s=5)
        assert (await statuses(at))[1] == {"protected"}


async def test_pair_when_its_disk_is_gone_then_invalid_and_may_be_deleted(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.create_group()
        pair_id = PairId((await at.create_pair()).resource_id)
        async with at.database.write() as connection:
            pair = await rows.get(connection, Pair, pair_id)
            await rows.delete(connection, Volume, [pair.source_volume_id])
        watcher = Watcher(at.database, at.sites)
        await watcher.check_soundness(ask_sites=True)
        assert (await statuses(at))[1] == {"invalid"}
        wanted = PairDeletion(delete_target_volume=True)
        job = await at.finish(await at.services.pairs.delete(at.caller, pair_id, wanted))
        assert job.status is JobStatus.SUCCESS, job.fail_reason


async def test_look_when_all_is_well_then_nothing_is_written(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        before = await read(at, Instance), await read(at, Pair)
        watcher = Watcher(at.database, at.sites)
        for _ in range(3):
            await watcher.check_soundness(ask_sites=True)
        assert (await read(at, Instance), await read(at, Pair)) == before


async def test_parts_when_production_stays_silent_then_at_fault_until_it_answers(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        patient, watcher = Watcher(at.database, at.sites), Watcher(at.database, at.sites, silence_s=0.0)
        at.sites[AZ1].crash()
        for who, status in ((patient, "protected"), (watcher, "fault")):
            with pytest.raises(SiteFault):
                await who.tend(at.group_id)
            assert await statuses(at) == ({status}, {status})
        assert {pair.fault_level for pair in await read(at, Pair)} == {FaultLevel.PRODUCTION_CANNOT_WRITE}
        at.sites[AZ1].restart()
        await at.sites[AZ1].ensure_power(at.server.id, Power.OFF)

        async def tended() -> tuple[set[str], set[str]]:
            await watcher.tend(at.group_id)
            return await statuses(at)

        await eventually(tended, lambda found: found == ({"protected"}, {"protected"}), timeout_s=10)


async def test_parts_when_production_is_silent_and_the_group_fails_over_then_no_fault_is_left(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await protected(at)
        watcher = Watcher(at.database, at.sites, silence_s=0.0)
        at.sites[AZ1].crash()
        with pytest.raises(SiteFault):
            await watcher.tend(at.group_id)
        job = await at.finish(await at.services.group_operations.failover(at.caller, at.group_id))
        assert job.status is JobStatus.SUCCESS, job.fail_reason
        assert await statuses(at) == ({"failed-over"}, {"failed-over"})
        assert {pair.fault_level for pair in await read(at, Pair)} == {FaultLevel.NONE}
