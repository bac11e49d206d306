"""NICs of protected instances: add and delete."""

from typing import Any

import pytest

from opensdrs.cloud.ports import add_port
from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import Attachment, Port, Server, Subnet
from opensdrs.domain.model import Group, Instance, Job
from opensdrs.domain.statuses import Station
from opensdrs.services.quotas import Limits
from opensdrs.store import rows, tables
from tests.contract.sdrs.world import World


def path(instance_id: str, word: str = "") -> str:
    return f"/protected-instances/{instance_id}/nic{word}"


async def made(world: World) -> str:
    return await world.instance(await world.group())


async def ports_of(world: World, server_id: str) -> dict[int, Port]:
    return {port.position: port for port in await world.all(Port) if port.server_id == server_id}


async def servers(world: World, instance_id: str) -> tuple[dict[int, Port], dict[int, Port]]:
    instance = await world.row(Instance, instance_id)
    source = await ports_of(world, instance.source_server_id)
    return source, await ports_of(world, instance.target_server_id)


async def test_add_nic_then_a_port_for_each_server_and_its_id_among_the_entities(world: World) -> None:
    instance_id = await made(world)
    wanted = {"subnet_id": world.subnet_id, "ip_address": "10.0.0.77", "security_groups": [{"id": new_id()}]}
    job = await world.job(await world.accepted("POST", path(instance_id), wanted))
    source, target = await servers(world, instance_id)
    assert (job.job_type, job.entities) == (
        "addNicNew", {"protected_instance_id": instance_id, "nic_id": source[1].id},
    )  # fmt: skip
    assert (source[1].ip, target[1].subnet_id) == ("10.0.0.77", world.subnet_id)
    assert len({source[1].ip, target[1].ip, source[0].ip, target[0].ip}) == 4
    assert (await world.row(Instance, instance_id)).status == "nic-creating"
    assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id}) == "SDRS.1327"


async def test_add_nic_when_the_target_is_in_production_then_its_server_gets_the_address(world: World) -> None:
    group_id, instance_id = await world.protected()
    await world.set_station(group_id, Station.TARGET)
    wanted = {"subnet_id": world.subnet_id, "ip_address": "10.0.0.78"}
    job = await world.job(await world.accepted("POST", path(instance_id), wanted))
    _, target = await servers(world, instance_id)
    assert (target[1].ip, target[1].id) == ("10.0.0.78", job.entities["nic_id"])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"subnet_id": None}, "SDRS.1335"),
        ({"subnet_id": "x"}, "SDRS.1335"),
        ({"subnet_id": "0" * 32}, "SDRS.1335"),
        ({"ip_address": "10.0.0"}, "SDRS.0219"),
        ({"ip_address": "10.0.1.9"}, "SDRS.0219"),
        ({"ip_address": "10.0.0.1"}, "SDRS.0219"),
        ({"ip_address": 7}, "SDRS.0219"),
        ({"security_groups": [{"id": "x"}]}, "SDRS.0201"),
        ({"security_groups": "x"}, "SDRS.0201"),
        ({"security_groups": [{}]}, "SDRS.0201"),
    ],
)
async def test_add_nic_when_a_field_is_wrong_then_its_code(world: World, values: dict[str, Any], code: str) -> None:
    instance_id = await made(world)
    before = len(await world.all(Port))
    assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id, **values}) == code
    assert len(await world.all(Port)) == before


async def test_add_nic_when_it_cannot_then_its_code(world: World) -> None:
    instance_id = await made(world)
    source, _ = await servers(world, instance_id)
    wanted = {"subnet_id": world.subnet_id}
    assert await world.refused("POST", path(instance_id), {}) == "SDRS.1335"
    assert await world.refused("POST", path("x"), wanted) == "SDRS.0208"
    assert await world.refused("POST", path(new_id()), wanted) == "SDRS.1320"
    assert await world.refused("POST", path(instance_id), wanted, token="stranger") == "SDRS.1320"
    assert await world.refused("POST", path(instance_id), wanted, token="reader") == "SDRS.0005"
    assert await world.refused("POST", path(instance_id), {**wanted, "ip_address": source[0].ip}) == "SDRS.1334"
    _, elsewhere = await world.network("10.9.0.0/16", "10.9.0.0/24")
    assert await world.refused("POST", path(instance_id), {"subnet_id": elsewhere}) == "SDRS.1304"


async def test_add_nic_when_the_subnet_is_full_then_1334(world: World) -> None:
    instance_id = await made(world)
    small = Subnet(
        id=new_id(), project_id=(await world.row(Instance, instance_id)).project_id, vpc_id=world.vpc_id, name="small",
        cidr="10.0.9.0/29", gateway_ip="10.0.9.1", created_at=0.0,
    )  # fmt: skip
    await world.insert(small)
    async with world.database.write() as connection:
        for _ in range(2):
            await add_port(connection, subnet=small, server_id=None, position=0)
    before = len(await world.all(Port))
    assert await world.refused("POST", path(instance_id), {"subnet_id": small.id}) == "SDRS.1334"
    assert len(await world.all(Port)) == before, "the port of the first server was not left behind"


@pytest.mark.parametrize("status", ["error-starting", "failed-over", "starting", "error-stopping"])
async def test_nics_when_the_group_is_in_another_status_then_1002(world: World, status: str) -> None:
    instance_id = await made(world)
    (group,) = await world.all(Group)
    await world.update(Group, group.id, status=status)
    assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id}) == "SDRS.1002"
    assert await world.refused("POST", path(instance_id, "/delete"), {"nic_id": new_id()}) == "SDRS.1002"


@pytest.mark.parametrize("status", ["failed-over", "fault", "invalid", "error-resizing", "resizing", "nic-deleting"])
async def test_nics_when_the_instance_is_in_another_status_then_1327(world: World, status: str) -> None:
    instance_id = await made(world)
    await world.update(Instance, instance_id, status=status)
    assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id}) == "SDRS.1327"
    assert await world.refused("POST", path(instance_id, "/delete"), {"nic_id": new_id()}) == "SDRS.1327"


async def test_nics_when_a_server_was_deleted_outside_then_1314(world: World) -> None:
    instance_id = await made(world)
    instance = await world.row(Instance, instance_id)
    for port in (await ports_of(world, instance.target_server_id)).values():
        await world.update(Port, port.id, server_id=None)
    async with world.database.write() as connection:
        await rows.delete_where(connection, Attachment, tables.attachments.c.server_id == instance.target_server_id)
        await rows.delete(connection, Server, [instance.target_server_id])
    assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id}) == "SDRS.1314"


class TestLimit:
    """Three NICs an instance."""

    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(nics_per_instance=3)

    async def test_add_nic_when_there_are_as_many_as_allowed_then_1340(self, world: World) -> None:
        instance_id = await world.instance(await world.group(), await world.server(nics=2))
        await world.settle_done(await world.accepted("POST", path(instance_id), {"subnet_id": world.subnet_id}))
        assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id}) == "SDRS.1340"


async def test_add_nic_when_the_server_is_full_then_1340(world: World) -> None:
    instance_id = await world.instance(await world.group(), await world.server(nics=8))
    assert await world.refused("POST", path(instance_id), {"subnet_id": world.subnet_id}) == "SDRS.1340"


async def test_delete_nic_then_both_ports_are_named_and_its_place_is_found_again(world: World) -> None:
    instance_id = await world.instance(await world.group(), await world.server(nics=3))
    source, target = await servers(world, instance_id)
    job = await world.job(await world.accepted("POST", path(instance_id, "/delete"), {"nic_id": source[1].id}))
    assert (job.job_type, job.entities["nic_id"]) == ("deleteNicNew", source[1].id)
    assert set(job.params["ports"]) == {source[1].id, target[1].id}
    assert (await world.row(Instance, instance_id)).status == "nic-deleting"
    await world.settle_done(job.id)
    async with world.database.write() as connection:
        await rows.delete(connection, Port, job.params["ports"])
    added = await world.job(await world.accepted("POST", path(instance_id), {"subnet_id": world.subnet_id}))
    assert (await world.row(Port, added.entities["nic_id"])).position == 1


async def test_delete_nic_when_it_cannot_then_its_code(world: World) -> None:
    instance_id = await world.instance(await world.group(), await world.server(nics=2))
    source, target = await servers(world, instance_id)
    delete = path(instance_id, "/delete")
    other = await ports_of(world, await world.server())
    assert await world.refused("POST", delete, {}) == "SDRS.0223"
    assert await world.refused("POST", delete, {"nic_id": "x"}) == "SDRS.0223"
    assert await world.refused("POST", delete, {"nic_id": new_id()}) == "SDRS.1310"
    assert await world.refused("POST", delete, {"nic_id": other[0].id}) == "SDRS.1310"
    assert await world.refused("POST", delete, {"nic_id": source[0].id}) == "SDRS.1311"
    assert await world.refused("POST", delete, {"nic_id": target[0].id}) == "SDRS.1311"
    assert await world.refused("POST", path("x", "/delete"), {"nic_id": source[1].id}) == "SDRS.0208"
    assert await world.refused("POST", path(new_id(), "/delete"), {"nic_id": source[1].id}) == "SDRS.1320"
    assert await world.refused("POST", delete, {"nic_id": source[1].id}, token="stranger") == "SDRS.1320"
    assert [job.job_type for job in await world.all(Job) if "Nic" in job.job_type] == []
