"""Refusals that need a particular world: marked servers, strange disks, networks without room, drills without parts."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import (
    DedicatedHost,
    Port,
    Server,
    ServerStatus,
    StoragePool,
    Subnet,
    Volume,
    VolumeStatus,
    VolumeType,
    Vpc,
)
from opensdrs.domain.model import Drill, Group, Instance, Pair, PairAttachment
from opensdrs.domain.statuses import FaultLevel, PairStatus
from opensdrs.services.quotas import Limits
from opensdrs.store.tables import pair_attachments, ports, subnets, witnesses
from tests.contract.sdrs.dump import dump
from tests.contract.sdrs.world import AZ1, AZ2, NOW, PROJECT, World

INSTANCES, PAIRS, DRILLS = "/protected-instances", "/replications", "/disaster-recovery-drills"


def instance(group: str, server: str, **values: Any) -> dict[str, Any]:
    return {"protected_instance": {"server_group_id": group, "server_id": server, "name": "i", **values}}


def pair(group: str, volume: str, **values: Any) -> dict[str, Any]:
    return {"replication": {"server_group_id": group, "volume_id": volume, "name": "p", **values}}


def drill(group: str, **values: Any) -> dict[str, Any]:
    return {"disaster_recovery_drill": {"server_group_id": group, "name": "d", **values}}


async def refusal(world: World, method: str, path: str, body: Any = None, **options: Any) -> str:
    """Return the code of a request that must be refused and change nothing."""
    before = await dump(world.database)
    code = await world.refused(method, path, body, **options)
    assert await dump(world.database) == before
    return code


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"locked": True}, "SDRS.1357"),
        ({"locked": "backup"}, "SDRS.1359"),
        ({"local_disks": 2}, "SDRS.1356"),
        ({"extension_nics": ["x"]}, "SDRS.1336"),
    ],
)
async def test_create_instance_when_its_server_is_marked_then_refused(
    world: World, attributes: dict[str, Any], code: str
) -> None:
    server = await world.server(attributes=attributes)
    assert await refusal(world, "POST", INSTANCES, instance(await world.group(), server)) == code


async def test_create_instance_when_its_system_disk_is_broken_then_1322(world: World) -> None:
    server = await world.server()
    (disk,) = await world.all(Volume)
    await world.update(Volume, disk.id, status=VolumeStatus.ERROR)
    assert await refusal(world, "POST", INSTANCES, instance(await world.group(), server)) == "SDRS.1322"


@pytest.mark.parametrize("size_gib", [9, None])
async def test_create_instance_when_a_copy_that_exists_differs_then_1309(world: World, size_gib: int | None) -> None:
    group = await world.group()
    pair_id = await world.pair(group)
    row = await world.row(Pair, pair_id)
    server = await world.server(devices=("/dev/vda",))
    await world.attach(server, row.source_volume_id, "/dev/vdb")
    if size_gib is None:
        await world.delete(Volume, row.target_volume_id)
    else:
        await world.update(Volume, row.target_volume_id, size_gib=size_gib)
    assert await refusal(world, "POST", INSTANCES, instance(group, server)) == "SDRS.1309"


async def test_create_instance_when_hosts_exist_but_not_at_the_dr_site_then_1372(world: World) -> None:
    group, server = await world.group(), await world.server()
    wanted = instance(group, server, tenancy="dedicated")
    assert await refusal(world, "POST", INSTANCES, wanted) == "SDRS.1366"
    host = DedicatedHost(id=new_id(), project_id=PROJECT, name="h", site=AZ1, created_at=NOW)
    await world.insert(host)
    assert await refusal(world, "POST", INSTANCES, wanted) == "SDRS.1372"
    unknown = instance(group, server, tenancy="dedicated", dedicated_host_id=new_id())
    assert await refusal(world, "POST", INSTANCES, unknown) == "SDRS.1372"


async def test_create_pair_when_there_is_no_such_pool_then_1381_and_without_any_1382(world: World) -> None:
    wanted = pair(await world.group(), await world.volume(), cluster_id=new_id())
    assert await refusal(world, "POST", PAIRS, wanted) == "SDRS.1382"
    await world.insert(
        StoragePool(id=new_id(), project_id=PROJECT, name="p", site=AZ2, type=VolumeType.SSD, capacity_gib=9,
                    status="available", created_at=NOW)
    )  # fmt: skip
    assert await refusal(world, "POST", PAIRS, wanted) == "SDRS.1381"


@pytest.mark.parametrize("model", ["async", 7])
async def test_create_when_another_replication_model_is_wanted_then_0224(world: World, model: object) -> None:
    assert await refusal(world, "POST", "/server-groups", world.group_body(replication_model=model)) == "SDRS.0224"
    wanted = pair(await world.group(), await world.volume(), replication_model=model)
    assert await refusal(world, "POST", PAIRS, wanted) == "SDRS.0224"


async def test_create_pair_when_the_known_replication_model_is_wanted_then_accepted(world: World) -> None:
    wanted = pair(await world.group(), await world.volume(), replication_model="hypermetro")
    await world.accepted("POST", PAIRS, wanted)


async def test_create_pair_of_a_drills_disk_then_1825(world: World) -> None:
    group, _ = await world.protected()
    await world.accepted("POST", DRILLS, drill(group))
    (row,) = await world.all(Drill)
    copy = next(volume for volume in await world.all(Volume) if volume.managed_by == row.id)
    assert await refusal(world, "POST", PAIRS, pair(group, copy.id)) == "SDRS.1825"


async def test_delete_pair_when_the_account_is_frozen_then_1828(world: World) -> None:
    pair_id = await world.pair(await world.group())
    row = await world.row(Pair, pair_id)
    await world.update(Volume, row.target_volume_id, attributes={"frozen": True})
    wanted = {"replication": {"delete_target_volume": True}}
    assert await refusal(world, "DELETE", f"{PAIRS}/{pair_id}", wanted) == "SDRS.1828"
    await world.accepted("DELETE", f"{PAIRS}/{pair_id}")


async def test_delete_instance_when_the_account_is_frozen_then_1355(world: World) -> None:
    instance_id = await world.instance(await world.group())
    row = await world.row(Instance, instance_id)
    await world.update(Server, row.target_server_id, attributes={"frozen": True})
    wanted = {"delete_target_server": True}
    assert await refusal(world, "DELETE", f"{INSTANCES}/{instance_id}", wanted) == "SDRS.1355"
    await world.accepted("DELETE", f"{INSTANCES}/{instance_id}")


async def test_attach_pair_when_it_could_not_be_created_then_1606(world: World) -> None:
    group = await world.group()
    instance_id, pair_id = await world.instance(group), await world.pair(group)
    await world.update(Pair, pair_id, status=PairStatus.ERROR)
    wanted = {"replicationAttachment": {"replication_id": pair_id, "device": "/dev/vdb"}}
    assert await refusal(world, "POST", f"{INSTANCES}/{instance_id}/attachreplication", wanted) == "SDRS.1606"


async def test_reverse_when_production_cannot_write_then_1823_but_a_failover_is_possible(world: World) -> None:
    group, _ = await world.protected()
    for row in await world.all(Server):
        await world.update(Server, row.id, status=ServerStatus.SHUTOFF)
    (row,) = await world.all(Pair)
    await world.update(Pair, row.id, status="fault", fault_level=FaultLevel.PRODUCTION_CANNOT_WRITE)
    wanted = {"reverse-server-group": {"priority_station": "target"}}
    path = f"/server-groups/{group}/action"
    assert await refusal(world, "POST", path, wanted) == "SDRS.1823"
    await world.accepted("POST", path, {"failover-server-group": {}})


@pytest.mark.parametrize("action", ["start", "stop", "failover", "reverse", "reprotect"])
async def test_operation_when_the_witness_knows_nothing_then_1015(world: World, action: str) -> None:
    group, _ = await world.protected()
    status = {"start": "available", "reprotect": "failed-over"}.get(action, "protected")
    await world.update(Group, group, status=status)
    for row in await world.all(Server):
        await world.update(Server, row.id, status=ServerStatus.SHUTOFF)
    async with world.database.write() as connection:
        await connection.execute(witnesses.delete())
    wanted = {f"{action}-server-group": {"priority_station": "target"}}
    assert await refusal(world, "POST", f"/server-groups/{group}/action", wanted) == "SDRS.1015"


Change = Callable[[World, str], Awaitable[None]]


async def no_nics(world: World, group: str) -> None:
    async with world.database.write() as connection:
        await connection.execute(ports.delete())


async def no_attachment(world: World, group: str) -> None:
    async with world.database.write() as connection:
        await connection.execute(pair_attachments.delete())
    assert await world.all(PairAttachment) == []


async def no_subnets(world: World, group: str) -> None:
    other, subnet = await world.network()
    async with world.database.write() as connection:
        await connection.execute(ports.update().values(subnet_id=subnet))
        await connection.execute(subnets.delete().where(subnets.c.vpc_id != other))


async def public_vpc(world: World, group: str) -> None:
    await world.update(Vpc, world.vpc_id, cidr="8.8.0.0/16")


async def foreign_subnet(world: World, group: str) -> None:
    await world.update(Subnet, world.subnet_id, cidr="10.9.0.0/24")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (no_nics, "SDRS.1911"),
        (no_attachment, "SDRS.1920"),
        (no_subnets, "SDRS.1924"),
        (public_vpc, "SDRS.1925"),
        (foreign_subnet, "SDRS.1926"),
    ],
)
async def test_create_drill_when_something_is_missing_then_its_code(world: World, change: Change, code: str) -> None:
    group, _ = await world.protected()
    await change(world, group)
    assert await refusal(world, "POST", DRILLS, drill(group)) == code


@pytest.mark.parametrize(
    ("limits", "code"), [(Limits(vpcs=1), "SDRS.1929"), (Limits(subnets=1), "SDRS.1930"), (Limits(vpcs=-1), None)]
)
async def test_create_drill_when_the_project_has_networks_enough_then_refused(
    world: World, limits: Limits, code: str | None
) -> None:
    group, _ = await world.protected()
    if code is None:
        await world.accepted("POST", DRILLS, drill(group))
    else:
        assert await refusal(world, "POST", DRILLS, drill(group)) == code
        vpc_id, _ = await world.network()
        await world.accepted("POST", DRILLS, drill(group, drill_vpc_id=vpc_id))


async def test_create_drill_when_an_address_is_the_gateways_there_then_1912(world: World) -> None:
    group, instance_id = await world.protected()
    vpc_id, subnet_id = await world.network()
    server_id = (await world.row(Instance, instance_id)).source_server_id
    (nic,) = [port for port in await world.all(Port) if port.server_id == server_id]
    await world.update(Subnet, subnet_id, gateway_ip=nic.ip)
    assert await refusal(world, "POST", DRILLS, drill(group, drill_vpc_id=vpc_id)) == "SDRS.1912"


async def test_drill_when_its_id_is_blank_then_1901(world: World) -> None:
    assert await refusal(world, "GET", f"{DRILLS}/%20") == "SDRS.1901"
    assert await refusal(world, "DELETE", f"{DRILLS}/%20") == "SDRS.1901"


async def test_request_when_the_token_is_for_no_project_then_0002_without_roles_0003(world: World) -> None:
    assert await refusal(world, "GET", "/server-groups", token="unscoped") == "SDRS.0002"
    answer = await world.call("GET", "/server-groups", token="guest")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "SDRS.0003")
