"""The built-in cloud over two emulated sites: what it makes, what it follows, and what protection forbids it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensdrs.cloud.plans import NewNic, NewServer
from opensdrs.cloud.volumes import NewVolume
from opensdrs.domain.errors import Refused, SiteFault
from opensdrs.domain.infrastructure import Attachment, Eip, Port, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.domain.model import Group
from opensdrs.domain.statuses import GroupStatus
from opensdrs.sites.model import Power, ServerState
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import attachments, ports
from tests.crash.world import AZ1, AZ2, PROJECT, World, world

SCOPE = Scope(PROJECT)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as built:
        yield built


def _new(lab: World, *disks: object, name: str = "new") -> NewServer:
    return NewServer(
        name=name, site=AZ1, flavor_id="s3.small.1", vpc_id=lab.vpc_id, nics=(NewNic(subnet_id=lab.subnet_id),),
        disks=disks or (NewVolume(name="system", size_gib=1, bootable=True),),
    )  # fmt: skip


async def test_create_when_done_then_the_server_runs_with_its_disks_and_address(lab: World) -> None:
    view = (await lab.cloud.view([lab.server]))[0]
    assert view.server.status is ServerStatus.ACTIVE
    assert view.server.started_at is not None
    assert [disk.device for disk, _ in view.disks] == ["/dev/vda", "/dev/vdb"]
    assert all(volume.status is VolumeStatus.IN_USE for _, volume in view.disks)
    assert [port.ip for port, _ in view.nics] == ["10.20.1.4"]
    assert (await lab.sites[AZ1].get_server(lab.server.id)).state is ServerState.RUNNING


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (NewVolume(name="data", size_gib=1), "not bootable"),
        (NewVolume(name="big", size_gib=32769, bootable=True), "32768"),
        (NewVolume(name="none", size_gib=0, bootable=True), "size_gib"),
        (NewVolume(name="", size_gib=1, bootable=True), "name"),
        (NewVolume(name="both", size_gib=1, bootable=True, shared=True), "shared"),
    ],
)
async def test_create_when_a_disk_is_wrong_then_refused_and_nothing_is_left(
    lab: World, disk: NewVolume, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        await lab.cloud.servers.create(PROJECT, _new(lab, disk))
    assert await lab.cloud.select(Server, SCOPE) == [lab.server]
    assert len(await lab.cloud.select(Volume, SCOPE)) == 2


async def test_create_when_the_image_is_unknown_then_the_server_says_why_it_is_in_error(lab: World) -> None:
    disk = NewVolume(name="system", size_gib=1, image="no-such-image")
    with pytest.raises(SiteFault):
        await lab.cloud.servers.create(PROJECT, _new(lab, disk))
    server = (await lab.cloud.select(Server, SCOPE, name="new"))[0]
    assert server.status is ServerStatus.ERROR
    assert "no-such-image" in server.attributes["fault"]
    await lab.cloud.servers.delete(SCOPE, server.id, delete_volumes=True)
    assert await lab.cloud.select(Volume, SCOPE, name="system") == []


async def test_stop_and_start_when_done_then_the_row_follows(lab: World) -> None:
    stopped = await lab.cloud.servers.stop(SCOPE, lab.server.id)
    assert (stopped.status, stopped.started_at) == (ServerStatus.SHUTOFF, None)
    assert (await lab.cloud.servers.start(SCOPE, lab.server.id)).status is ServerStatus.ACTIVE


async def test_follow_when_the_server_died_then_the_row_says_so(lab: World) -> None:
    other = await lab.make_server("app-2")
    await lab.sites[AZ1].ensure_power(lab.server.id, Power.KILLED)
    assert (await lab.cloud.servers.follow([lab.server]))[0].status is ServerStatus.SHUTOFF
    await lab.sites[AZ1].ensure_power(other.id, Power.KILLED)
    followed = await lab.cloud.servers.follow(await lab.cloud.select(Server, SCOPE))
    assert {server.status for server in followed} == {ServerStatus.SHUTOFF}


async def test_attach_when_the_server_runs_then_the_next_device(lab: World) -> None:
    volume = await lab.cloud.volumes.create(PROJECT, AZ1, NewVolume(name="extra", size_gib=1))
    attachment = await lab.cloud.attachments.attach(SCOPE, lab.server.id, volume.id)
    assert attachment.device == "/dev/vdc"
    assert (await lab.cloud.get(Volume, volume.id, SCOPE)).status is VolumeStatus.IN_USE
    access = await lab.cloud.volumes.open(SCOPE, volume.id)
    assert (access.used_by, access.writable) == (lab.server.id, False)
    assert lab.server.id in access.note
    with pytest.raises(Refused, match="is attached to server"):
        await lab.cloud.attachments.attach(SCOPE, lab.server.id, volume.id)
    with pytest.raises(Refused, match=r"/dev/vdc of server app-1"):
        await lab.cloud.volumes.delete(SCOPE, volume.id)
    await lab.cloud.attachments.detach(SCOPE, lab.server.id, volume.id)
    assert (await lab.cloud.volumes.open(SCOPE, volume.id)).writable
    await lab.cloud.volumes.delete(SCOPE, volume.id)
    with pytest.raises(SiteFault):
        await lab.sites[AZ1].get_volume(volume.id)


async def test_attach_when_the_volume_is_elsewhere_or_the_device_is_taken_then_refused(lab: World) -> None:
    far = await lab.cloud.volumes.create(PROJECT, AZ2, NewVolume(name="far", size_gib=1))
    near = await lab.cloud.volumes.create(PROJECT, AZ1, NewVolume(name="near", size_gib=1))
    with pytest.raises(Refused, match="availability zone"):
        await lab.cloud.attachments.attach(SCOPE, lab.server.id, far.id)
    with pytest.raises(Refused, match="/dev/vdb is taken"):
        await lab.cloud.attachments.attach(SCOPE, lab.server.id, near.id, "/dev/sdb")


async def test_detach_when_it_is_the_running_systems_disk_then_refused(lab: World) -> None:
    disk = (await lab.cloud.select(Attachment, SYSTEM, server_id=lab.server.id, device="/dev/vda"))[0]
    with pytest.raises(Refused, match="Stop it first"):
        await lab.cloud.attachments.detach(SCOPE, lab.server.id, disk.volume_id)


async def test_eip_when_associated_then_the_site_forwards_and_it_stays_until_let_go(lab: World) -> None:
    port = (await lab.cloud.select(Port, SCOPE, server_id=lab.server.id))[0]
    eip = await lab.cloud.eips.allocate(PROJECT, 22)
    await lab.cloud.eips.associate(SCOPE, eip.id, port.id)
    assert (await lab.cloud.view([lab.server]))[0].nics[0][1] == (await lab.cloud.get(Eip, eip.id, SCOPE),)
    with pytest.raises(Refused, match="Disassociate"):
        await lab.cloud.eips.release(SCOPE, eip.id)
    await lab.cloud.eips.disassociate(SCOPE, eip.id)
    await lab.cloud.eips.release(SCOPE, eip.id)


async def test_delete_when_the_server_had_an_eip_then_the_eip_stays_without_a_port(lab: World) -> None:
    port = (await lab.cloud.select(Port, SCOPE, server_id=lab.server.id))[0]
    eip = await lab.cloud.eips.allocate(PROJECT, 22)
    await lab.cloud.eips.associate(SCOPE, eip.id, port.id)
    await lab.cloud.servers.delete(SCOPE, lab.server.id, delete_volumes=True)
    assert (await lab.cloud.get(Eip, eip.id, SCOPE)).port_id is None
    assert await lab.cloud.select(Volume, SCOPE) == []
    with pytest.raises(SiteFault):
        await lab.sites[AZ1].get_server(lab.server.id)


async def test_another_project_when_it_names_a_server_then_not_found(lab: World) -> None:
    stranger = Scope("f" * 32)
    for call in (
        lab.cloud.servers.start(stranger, lab.server.id),
        lab.cloud.servers.stop(stranger, lab.server.id),
        lab.cloud.servers.console(stranger, lab.server.id, 100),
        lab.cloud.servers.delete(stranger, lab.server.id, force=True),
    ):
        with pytest.raises(Refused) as refusal:
            await call
        assert refusal.value.kind.code == "OPENSDRS.0404"


@pytest.fixture
async def protected(lab: World) -> World:
    await lab.create_group()
    await lab.create_instance()
    await lab.start()
    return lab


async def _dr_server(lab: World) -> Server:
    return next(server for server in await lab.cloud.select(Server, SCOPE) if server.site == AZ2)


async def test_start_when_it_is_the_dr_server_of_a_protected_group_then_refused_with_advice(protected: World) -> None:
    server = await _dr_server(protected)
    with pytest.raises(Refused, match="DR server of protected instance") as refusal:
        await protected.cloud.servers.start(SCOPE, server.id)
    assert "stop its protection" in refusal.value.text


async def test_start_when_an_operation_is_at_work_then_refused(protected: World) -> None:
    async with protected.database.write() as connection:
        await rows.update(connection, Group, protected.group_id, status=GroupStatus.FAILING_OVER)
    with pytest.raises(Refused, match="is failing-over"):
        await protected.cloud.servers.start(SCOPE, protected.server.id)


async def test_volumes_of_pairs_when_touched_natively_then_refused(protected: World) -> None:
    async with protected.database.read() as connection:
        mine = attachments.c.server_id == protected.server.id
        disk = (await rows.select(connection, Attachment, SYSTEM, mine, attachments.c.device == "/dev/vdb"))[0]
    with pytest.raises(Refused, match="replication pair"):
        await protected.cloud.attachments.detach(SCOPE, protected.server.id, disk.volume_id)
    with pytest.raises(Refused, match="replication pair"):
        await protected.cloud.volumes.delete(SCOPE, disk.volume_id)


@pytest.mark.parametrize("side", [AZ1, AZ2])
async def test_delete_when_the_server_is_protected_then_only_with_force(protected: World, side: str) -> None:
    server = protected.server if side == AZ1 else await _dr_server(protected)
    with pytest.raises(Refused, match="belongs to protected instance"):
        await protected.cloud.servers.delete(SCOPE, server.id)
    await protected.cloud.servers.delete(SCOPE, server.id, force=True, delete_volumes=True)
    assert await protected.cloud.select(Server, SCOPE, id=server.id) == []
    assert len(await protected.cloud.select(Volume, SCOPE)) == 4  # those of pairs stay


async def test_settle_interrupted_when_the_control_plane_died_half_way_then_error_and_deletable(lab: World) -> None:
    async with lab.database.write() as connection:
        await rows.update(connection, Server, lab.server.id, status=ServerStatus.BUILD)
        await rows.update(connection, Volume, (await lab.cloud.select(Volume, SCOPE))[0].id, status="creating")
    await lab.cloud.settle_interrupted()
    assert (await lab.cloud.get(Server, lab.server.id, SCOPE)).status is ServerStatus.ERROR
    await lab.cloud.servers.delete(SCOPE, lab.server.id, delete_volumes=True)
    async with lab.database.read() as connection:
        assert await rows.count(connection, Port, SYSTEM, ports.c.server_id == lab.server.id) == 0
