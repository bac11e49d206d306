"""DR drills: create, show, list, rename, delete."""

from typing import Any

import pytest

from opensdrs.cloud.ports import add_port
from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import Attachment, Port, Server, ServerStatus, Subnet, Volume, VolumeStatus, Vpc
from opensdrs.domain.model import Drill, DrillServer, Group, Instance, Pair
from opensdrs.domain.statuses import ReplicationStatus, Station
from opensdrs.store import rows
from tests.contract.sdrs.world import AZ1, AZ2, World

PATH = "/disaster-recovery-drills"


def body(group: str, **values: Any) -> dict[str, Any]:
    return {"disaster_recovery_drill": {"server_group_id": group, "name": "d", **values}}


async def drilled(world: World, station: Station = Station.SOURCE) -> Drill:
    """Make a group with one instance of two disks and a drill of it."""
    group_id = await world.group()
    await world.instance(group_id, await world.server(devices=("/dev/vda", "/dev/vdb")))
    await world.set_station(group_id, station)
    await world.accepted("POST", PATH, body(group_id))
    (drill,) = await world.all(Drill)
    return drill


@pytest.mark.parametrize(("station", "site"), [(Station.SOURCE, AZ2), (Station.TARGET, AZ1)])
async def test_create_drill_then_isolated_copies_at_the_present_dr_site(
    world: World, station: Station, site: str
) -> None:
    drill = await drilled(world, station)
    (instance,) = await world.all(Instance)
    (link,) = await world.all(DrillServer)
    server = await world.row(Server, link.server_id)
    assert (link.instance_id, server.status, server.site) == (instance.id, ServerStatus.BUILD, site)
    assert (server.isolated, server.managed_by, server.vpc_id) == (True, drill.id, drill.drill_vpc_id)
    production = instance.server_at(station)
    ports = {port.server_id: port for port in await world.all(Port)}
    assert ports[server.id].ip == ports[production].ip
    assert ports[server.id].mac != ports[production].mac
    (subnet,) = [row for row in await world.all(Subnet) if row.vpc_id == drill.drill_vpc_id]
    assert (ports[server.id].subnet_id, subnet.cidr) == (subnet.id, "10.0.0.0/24")
    copies = {row.id: row for row in await world.all(Volume) if row.managed_by == drill.id}
    assert {(copy.status, copy.site) for copy in copies.values()} == {(VolumeStatus.CREATING, site)}
    attached = {row.volume_id: row.device for row in await world.all(Attachment) if row.server_id == server.id}
    assert sorted(attached.values()) == ["/dev/vda", "/dev/vdb"]
    assert set(attached) == set(copies)


async def test_create_drill_then_its_job_names_every_copy(world: World) -> None:
    group_id = await world.group()
    await world.instance(group_id)
    job = await world.job(await world.accepted("POST", PATH, body(group_id)))
    (drill,) = await world.all(Drill)
    (pair,) = await world.all(Pair)
    (copy,) = [row for row in await world.all(Volume) if row.managed_by == drill.id]
    assert job.params == {"copies": [{"volume_id": copy.id, "source_volume_id": pair.target_volume_id}]}
    assert job.entities == {"disaster_recovery_drill_id": drill.id, "server_group_id": group_id}
    assert (job.job_type, job.group_id) == ("createDisasterRecoveryDrill", group_id)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": ""}, "SDRS.0202"),
        ({"server_group_id": "x"}, "SDRS.0207"),
        ({"server_group_id": "0" * 32}, "SDRS.1013"),
        ({"drill_vpc_id": "x"}, "SDRS.0204"),
        ({"drill_vpc_id": "0" * 32}, "SDRS.1928"),
    ],
)
async def test_create_drill_when_a_field_is_wrong_then_its_code(
    world: World, values: dict[str, Any], code: str
) -> None:
    assert await world.refused("POST", PATH, body(await world.group(), **values)) == code
    assert len(await world.all(Vpc)) == 1


async def test_create_drill_when_a_vpc_is_given_then_it_must_fit(world: World) -> None:
    group_id = await world.group()
    await world.instance(group_id)

    async def code(vpc_id: str) -> str:
        return await world.refused("POST", PATH, body(group_id, drill_vpc_id=vpc_id))

    assert await code(world.vpc_id) == "SDRS.1907"
    other_range, _ = await world.network("10.9.0.0/16", "10.9.0.0/24")
    assert await code(other_range) == "SDRS.1909"
    other_subnet, _ = await world.network("10.0.0.0/16", "10.0.1.0/24")
    assert await code(other_subnet) == "SDRS.1908"
    taken, subnet_id = await world.network()
    production = (await world.all(Port))[0]
    async with world.database.write() as connection:
        subnet = await rows.get(connection, Subnet, subnet_id)
        await add_port(connection, subnet=subnet, server_id=None, position=0, ip=production.ip)
    assert await code(taken) == "SDRS.1910"
    fit, _ = await world.network()
    await world.accepted("POST", PATH, body(group_id, drill_vpc_id=fit))
    assert [drill.drill_vpc_id for drill in await world.all(Drill)] == [fit]
    assert await code(fit) == "SDRS.1921"


async def test_create_drill_when_the_group_cannot_then_its_code(world: World) -> None:
    group_id = await world.group()
    instance_id = await world.instance(group_id)
    (pair,) = await world.all(Pair)
    await world.update(Pair, pair.id, replication_status=ReplicationStatus.COPYING)
    assert await world.refused("POST", PATH, body(group_id)) == "SDRS.1830"
    await world.update(Pair, pair.id, replication_status=ReplicationStatus.ACTIVE)
    await world.update(Instance, instance_id, status="creating")
    assert await world.refused("POST", PATH, body(group_id)) == "SDRS.1328"
    await world.update(Instance, instance_id, status="available", target_server_id="gone")
    assert await world.refused("POST", PATH, body(group_id)) == "SDRS.1314"
    await world.update(Group, group_id, status="reversing")
    assert await world.refused("POST", PATH, body(group_id)) == "SDRS.1002"


async def test_show_and_rename_drill_then_exactly_the_documented_fields(world: World) -> None:
    drill = await drilled(world)
    (link,) = await world.all(DrillServer)
    expected = {
        "id": drill.id,
        "name": "new",
        "status": "creating",
        "server_group_id": drill.group_id,
        "drill_vpc_id": drill.drill_vpc_id,
        "created_at": "2023-11-14 22:13:20.000",
        "updated_at": "2023-11-14 22:13:20.000",
        "drill_servers": [{"protected_instance": link.instance_id, "drill_server_id": link.server_id}],
    }
    renaming = {"disaster_recovery_drill": {"name": "new"}}
    assert (await world.call("PUT", f"{PATH}/{drill.id}", renaming)).json() == {"disaster_recovery_drill": expected}
    assert (await world.call("GET", f"{PATH}/{drill.id}")).json() == {"disaster_recovery_drill": expected}


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
async def test_drill_when_malformed_unknown_or_anothers_then_invalid_or_not_found(world: World, verb: str) -> None:
    wanted = {"disaster_recovery_drill": {"name": "n"}}
    drill = await drilled(world)
    assert await world.refused(verb, f"{PATH}/x", wanted) == "SDRS.1900"
    assert await world.refused(verb, f"{PATH}/{new_id()}", wanted) == "SDRS.1902"
    assert await world.refused(verb, f"{PATH}/{drill.id}", wanted, token="stranger") == "SDRS.1902"


async def test_list_drills_then_filters(world: World) -> None:
    drill = await drilled(world)

    async def listed(**query: Any) -> list[str]:
        answer = (await world.call("GET", PATH, **query)).json()
        assert answer["count"] == len(answer["disaster_recovery_drills"])
        return [row["id"] for row in answer["disaster_recovery_drills"]]

    assert await listed() == [drill.id]
    assert await listed(server_group_id=drill.group_id, drill_vpc_id=drill.drill_vpc_id, name="D") == [drill.id]
    assert await listed(status="error") == []
    assert await listed(drill_vpc_id=world.vpc_id) == []
    assert await world.refused("GET", PATH, drill_vpc_id="x") == "SDRS.0204"


async def test_delete_drill_when_settled_then_admitted_once(world: World) -> None:
    drill = await drilled(world)
    assert await world.refused("DELETE", f"{PATH}/{drill.id}") == "SDRS.1913"
    await world.update(Drill, drill.id, status="error")
    job = await world.job(await world.accepted("DELETE", f"{PATH}/{drill.id}"))
    assert (job.job_type, job.params) == ("deleteDisasterRecoveryDrill", {})
    assert (await world.row(Drill, drill.id)).status == "deleting"
