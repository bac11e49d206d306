"""Protected instances: create, show, list, rename, delete."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import (
    Attachment,
    DedicatedHost,
    Port,
    Server,
    ServerStatus,
    StoragePool,
    Volume,
    VolumeStatus,
    VolumeType,
)
from opensdrs.domain.model import Group, Instance, Job, Pair, PairAttachment, Quota, Tag
from opensdrs.domain.statuses import Station
from tests.contract.sdrs.world import AZ1, AZ2, NOW, PROJECT, World

PATH = "/protected-instances"


def body(group: str, server: str, **values: Any) -> dict[str, Any]:
    return {"protected_instance": {"server_group_id": group, "server_id": server, "name": "i", **values}}


async def test_create_instance_then_every_row_that_the_flow_fills(world: World) -> None:
    group_id = await world.group()
    server_id = await world.server(devices=("/dev/vda", "/dev/vdb"), nics=2)
    wanted = body(group_id, server_id, description="d", tags=[{"key": "k", "value": ""}])
    job = await world.job(await world.accepted("POST", PATH, wanted))
    (instance,) = await world.all(Instance)
    assert (instance.status, instance.source_server_id) == ("creating", server_id)
    dr = await world.row(Server, instance.target_server_id)
    assert (dr.status, dr.site, dr.name, dr.flavor_id) == (ServerStatus.BUILD, AZ2, "web", "small")
    assert (dr.managed_by, dr.vpc_id, dr.isolated) == (instance.id, world.vpc_id, False)
    pairs = {pair.id: pair for pair in await world.all(Pair)}
    assert sorted(pair.name for pair in pairs.values()) == ["i-vda", "i-vdb"]
    assert {(pair.status, pair.replication_status, pair.progress) for pair in pairs.values()} == {
        ("creating", "inactive", 0)
    }
    assert set(job.params["pairs"]) == set(job.params["new_pairs"]) == set(pairs)
    assert job.params["instances"] == [instance.id]
    assert job.entities == {"protected_instance_id": instance.id, "server_group_id": group_id}
    assert (job.job_type, job.group_id) == ("createProtectedInstanceNoCG", group_id)
    for link in await world.all(PairAttachment):
        pair = pairs[link.pair_id]
        copy = await world.row(Volume, pair.target_volume_id)
        assert (copy.status, copy.site, copy.size_gib) == (VolumeStatus.CREATING, AZ2, 10)
        assert (copy.managed_by, copy.image, copy.bootable) == (pair.id, None, link.device == "/dev/vda")
        devices = {row.server_id: row.device for row in await world.all(Attachment) if row.volume_id == copy.id}
        assert devices == {dr.id: link.device}
    ports = [port for port in await world.all(Port) if port.server_id == dr.id]
    assert sorted(port.position for port in ports) == [0, 1]
    assert {port.subnet_id for port in ports} == {world.subnet_id}
    assert len({(port.mac, port.ip) for port in await world.all(Port)}) == 4
    assert [(tag.key, tag.value) for tag in await world.all(Tag)] == [("k", "")]
    parts = [part for part in await world.all(Job) if part.parent_id == job.id]
    assert {part.job_type for part in parts} == {"createReplicationPairNoCG"}
    assert {part.resource_id for part in parts} == set(pairs)


async def test_create_instance_when_the_target_is_in_production_then_its_server_is_the_target_server(
    world: World,
) -> None:
    group_id = await world.group()
    await world.set_station(group_id, Station.TARGET)
    here, there = await world.server(), await world.server(site=AZ2)
    assert await world.refused("POST", PATH, body(group_id, here)) == "SDRS.1303"
    await world.accepted("POST", PATH, body(group_id, there))
    (instance,) = await world.all(Instance)
    assert instance.target_server_id == there
    assert (await world.row(Server, instance.source_server_id)).site == AZ1
    (pair,) = await world.all(Pair)
    assert (await world.row(Volume, pair.target_volume_id)).site == AZ2
    assert (await world.row(Volume, pair.source_volume_id)).status == VolumeStatus.CREATING


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": "ü"}, "SDRS.0202"),
        ({"description": "x" * 65}, "SDRS.0212"),
        ({"server_group_id": "x"}, "SDRS.0207"),
        ({"server_group_id": None}, "SDRS.0207"),
        ({"server_group_id": "0" * 32}, "SDRS.1013"),
        ({"server_id": "x"}, "SDRS.0210"),
        ({"server_id": None}, "SDRS.0210"),
        ({"server_id": "0" * 32}, "SDRS.1326"),
        ({"cluster_id": "x"}, "SDRS.0218"),
        ({"cluster_id": "0" * 32}, "SDRS.1382"),
        ({"tenancy": "own"}, "SDRS.0228"),
        ({"tenancy": "shared", "dedicated_host_id": "0" * 32}, "SDRS.1371"),
        ({"tenancy": "dedicated", "dedicated_host_id": "x"}, "SDRS.0227"),
        ({"tenancy": "dedicated", "dedicated_host_id": "0" * 32}, "SDRS.1366"),
        ({"tenancy": "dedicated"}, "SDRS.1366"),
        ({"flavorRef": "huge"}, "SDRS.1353"),
        ({"flavorRef": 3}, "SDRS.1353"),
        ({"primary_ip_address": "10.0.0.9"}, "SDRS.1380"),
        ({"primary_subnet_id": "x"}, "SDRS.1335"),
        ({"primary_subnet_id": "0" * 32}, "SDRS.1335"),
        ({"primary_subnet_id": "0" * 32, "primary_ip_address": "ten"}, "SDRS.0219"),
        ({"tags": [{"key": "k"}]}, "SDRS.2208"),
        ({"tags": [{"value": "v"}]}, "SDRS.2205"),
        ({"tags": [{"key": " ", "value": "v"}]}, "SDRS.2205"),
        ({"tags": [{"key": "a=b", "value": "v"}]}, "SDRS.2204"),
        ({"tags": [{"key": "k" * 37, "value": "v"}]}, "SDRS.2204"),
        ({"tags": [{"key": "k", "value": "v" * 44}]}, "SDRS.2207"),
        ({"tags": [{"key": "k", "value": "v"}] * 2}, "SDRS.2209"),
        ({"tags": [{"key": str(n), "value": ""} for n in range(11)]}, "SDRS.2203"),
        ({"tags": "k"}, "SDRS.0201"),
    ],
)
async def test_create_instance_when_a_field_is_wrong_then_its_code(
    world: World, values: dict[str, Any], code: str
) -> None:
    wanted = body(await world.group(), await world.server(), **values)
    assert await world.refused("POST", PATH, wanted) == code
    assert await world.all(Instance) == []
    assert len(await world.all(Server)) == 1


async def test_create_instance_when_its_server_is_unfit_then_its_code(world: World) -> None:
    group_id = await world.group()
    other_vpc, _ = await world.network("10.9.0.0/16", "10.9.0.0/24")

    async def code(**values: Any) -> str:
        return await world.refused("POST", PATH, body(group_id, await world.server(**values)))

    assert await code(site=AZ2) == "SDRS.1303"
    assert await code(vpc_id=other_vpc) == "SDRS.1304"
    assert await code(status=ServerStatus.ERROR) == "SDRS.1333"
    assert await code(attributes={"locked": True}) == "SDRS.1357"
    assert await code(devices=()) == "SDRS.1321"
    assert await code(devices=("/dev/vdb",)) == "SDRS.1339"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"shared": True}, "SDRS.1806"),
        ({"encrypted": True}, "SDRS.1802"),
        ({"attributes": {"frozen": True}}, "SDRS.0225"),
        ({"attributes": {"locked": True}}, "SDRS.1831"),
        ({"site": AZ2}, "SDRS.1810"),
    ],
)
async def test_create_instance_when_a_disk_is_unfit_then_its_code(
    world: World, values: dict[str, Any], code: str
) -> None:
    group_id, server_id = await world.group(), await world.server()
    disk = await world.volume(status=VolumeStatus.IN_USE, **values)
    await world.insert(Attachment(id=new_id(), server_id=server_id, volume_id=disk, device="/dev/vdb"))
    assert await world.refused("POST", PATH, body(group_id, server_id)) == code


async def test_create_instance_when_a_pair_exists_for_a_disk_then_it_is_used(world: World) -> None:
    group_id, server_id, disk = await world.group(), await world.server(), await world.volume()
    pair_id = await world.pair(group_id, disk)
    other_group = await world.group(name="other")
    await world.insert(Attachment(id=new_id(), server_id=server_id, volume_id=disk, device="/dev/vdb"))
    assert await world.refused("POST", PATH, body(other_group, server_id)) == "SDRS.1811"
    job = await world.job(await world.accepted("POST", PATH, body(group_id, server_id)))
    assert pair_id in job.params["pairs"]
    assert pair_id not in job.params["new_pairs"]
    assert len(job.params["pairs"]) == 2


async def test_create_instance_when_its_server_is_already_protected_then_1305(world: World) -> None:
    group_id = await world.group()
    instance = await world.row(Instance, await world.instance(group_id))
    assert await world.refused("POST", PATH, body(group_id, instance.source_server_id)) == "SDRS.1305"
    await world.set_station(group_id, Station.TARGET)
    assert await world.refused("POST", PATH, body(group_id, instance.target_server_id)) == "SDRS.1305"


async def test_create_instance_when_the_group_is_busy_then_1002(world: World) -> None:
    group_id, server_id = await world.group("starting"), await world.server()
    assert await world.refused("POST", PATH, body(group_id, server_id)) == "SDRS.1002"
    await world.update(Group, group_id, status="protected")
    await world.accepted("POST", PATH, body(group_id, server_id))


async def test_create_instance_when_the_quota_of_pairs_is_used_up_then_0306(world: World) -> None:
    await world.insert(Quota(id=new_id(), project_id=PROJECT, type="replications", quota=1))
    server_id = await world.server(devices=("/dev/vda", "/dev/vdb"))
    assert await world.refused("POST", PATH, body(await world.group(), server_id)) == "SDRS.0306"


async def test_create_instance_when_a_subnet_is_chosen_then_the_primary_nic_is_there(world: World) -> None:
    group_id, server_id = await world.group(), await world.server()
    (port,) = await world.all(Port)
    chosen = {"primary_subnet_id": world.subnet_id}
    taken = body(group_id, server_id, primary_ip_address=port.ip, **chosen)
    assert await world.refused("POST", PATH, taken) == "SDRS.1334"
    outside = body(group_id, server_id, primary_ip_address="10.0.9.9", **chosen)
    assert await world.refused("POST", PATH, outside) == "SDRS.0219"
    _, elsewhere = await world.network()
    foreign = body(group_id, server_id, primary_subnet_id=elsewhere)
    assert await world.refused("POST", PATH, foreign) == "SDRS.1335"
    await world.accepted("POST", PATH, body(group_id, server_id, primary_ip_address="10.0.0.77", **chosen))
    assert "10.0.0.77" in {row.ip for row in await world.all(Port)}


async def test_create_instance_when_a_dedicated_host_is_wanted_then_it_must_be_at_the_dr_site(world: World) -> None:
    group_id, server_id = await world.group(), await world.server()
    near, far = (DedicatedHost(id=new_id(), project_id=PROJECT, name="h", site=site, created_at=NOW)
                 for site in (AZ1, AZ2))  # fmt: skip
    await world.insert(near, far)
    wanted = body(group_id, server_id, tenancy="dedicated", dedicated_host_id=near.id)
    assert await world.refused("POST", PATH, wanted) == "SDRS.1373"
    grouped = await world.server(attributes={"server_group": "g"})
    assert await world.refused("POST", PATH, body(group_id, grouped, tenancy="dedicated")) == "SDRS.1375"
    await world.accepted("POST", PATH, body(group_id, server_id, tenancy="dedicated", flavorRef="large"))
    (instance,) = await world.all(Instance)
    dr = await world.row(Server, instance.target_server_id)
    assert (dr.dedicated_host_id, dr.flavor_id) == (far.id, "large")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"site": AZ1}, "SDRS.1383"),
        ({"status": "deploying"}, "SDRS.1384"),
        ({"capacity_gib": 9}, "SDRS.1385"),
        ({"type": VolumeType.SAS}, "SDRS.1386"),
        ({}, ""),
    ],
)
async def test_create_instance_when_a_storage_pool_is_wanted_then_it_must_fit(
    world: World, values: dict[str, Any], code: str
) -> None:
    fields = {"site": AZ2, "type": VolumeType.SSD, "capacity_gib": 10, "status": "available", **values}
    pool = StoragePool(id=new_id(), project_id=PROJECT, name="pool", created_at=NOW, **fields)
    await world.insert(pool)
    wanted = body(await world.group(), await world.server(), cluster_id=pool.id)
    if code:
        assert await world.refused("POST", PATH, wanted) == code
    else:
        await world.accepted("POST", PATH, wanted)
        assert pool.id in {volume.storage_pool_id for volume in await world.all(Volume)}


async def test_show_instance_then_exactly_the_documented_fields(world: World) -> None:
    group_id, server_id = await world.group(), await world.server()
    instance_id = await world.instance(group_id, server_id, tags=[{"key": "k", "value": "v"}])
    instance, (pair,) = await world.row(Instance, instance_id), await world.all(Pair)
    await world.update(Pair, pair.id, progress=42)
    shown = (await world.call("GET", f"{PATH}/{instance_id}")).json()
    assert shown == {
        "protected_instance": {
            "id": instance_id,
            "name": "i",
            "description": None,
            "server_group_id": group_id,
            "status": "available",
            "progress": 42,
            "source_server": server_id,
            "target_server": instance.target_server_id,
            "created_at": "2023-11-14 22:13:20.000",
            "updated_at": "2023-11-14 22:13:20.000",
            "priority_station": "source",
            "attachment": [{"replication": pair.id, "device": "/dev/vda"}],
            "tags": [{"key": "k", "value": "v"}],
            "metadata": {},
        }
    }
    answer = await world.call("PUT", f"{PATH}/{instance_id}", {"protected_instance": {"name": "new"}})
    assert answer.json()["protected_instance"]["name"] == "new"


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
async def test_instance_when_malformed_unknown_or_anothers_then_invalid_or_not_found(world: World, verb: str) -> None:
    wanted = {"protected_instance": {"name": "n"}} if verb == "PUT" else None
    instance_id = await world.instance(await world.group())
    assert await world.refused(verb, f"{PATH}/x", wanted) == "SDRS.0208"
    assert await world.refused(verb, f"{PATH}/{new_id()}", wanted) == "SDRS.1320"
    assert await world.refused(verb, f"{PATH}/{instance_id}", wanted, token="stranger") == "SDRS.1320"


async def test_list_instances_then_lists_of_ids_in_every_dialect(world: World) -> None:
    groups = [await world.group(name=name) for name in ("a", "b")]
    ids = []
    for group_id in (groups[0], groups[0], groups[1]):
        world.clock[0] += 1
        ids.append(await world.instance(group_id))

    async def listed(**query: Any) -> list[int]:
        answer = (await world.call("GET", PATH, **query)).json()
        assert answer["count"] == len(answer["protected_instances"])
        return [ids.index(row["id"]) for row in answer["protected_instances"]]

    assert await listed() == [2, 1, 0]
    assert await listed(server_group_id=groups[0]) == [1, 0]
    for form in (f'["{groups[1]}"]', f"['{groups[1]}']", groups[1], f"{groups[1]},{new_id()}", [groups[1], "x"]):
        assert await listed(server_group_ids=form) == [2], form
    assert await listed(server_group_ids=groups) == [2, 1, 0]
    assert await listed(server_group_ids=groups[1], server_group_id=groups[0]) == [2]
    assert await listed(server_group_ids="nonsense") == []
    assert await listed(server_group_ids="[]") == [2, 1, 0]
    assert await listed(protected_instance_ids=f"['{ids[0]}']") == [0]
    assert await listed(protected_instance_ids=ids[0], server_group_id=groups[1]) == [2]
    assert await listed(availability_zone="az2") == []
    await world.set_station(groups[1], Station.TARGET)
    assert await listed(availability_zone="az2") == [2]
    assert await world.refused("GET", PATH, server_group_id="x") == "SDRS.0207"
    too_many = [new_id() for _ in range(31)]
    assert await world.refused("GET", PATH, server_group_ids=too_many) == "SDRS.0226"
    assert await world.refused("GET", PATH, protected_instance_ids=",".join(too_many)) == "SDRS.0226"
    assert (await world.call("GET", PATH, token="stranger")).json() == {"count": 0, "protected_instances": []}


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"delete_target_server": false, "delete_target_eip": null}'])
async def test_delete_instance_when_nothing_is_asked_for_then_the_dr_server_stays(
    world: World, content: bytes | None
) -> None:
    instance_id = await world.instance(await world.group("available"))
    job = await world.job(await world.accepted("DELETE", f"{PATH}/{instance_id}", content))
    assert job.job_type == "deleteProtectedInstanceNoCG"
    assert job.params == {"instances": [instance_id], "delete_target_server": False, "delete_target_eip": False}
    assert (await world.row(Instance, instance_id)).status == "deleting"
    assert await world.refused("DELETE", f"{PATH}/{instance_id}") == "SDRS.1301"
    assert await world.refused("DELETE", f"{PATH}/{instance_id}", b"[]") == "SDRS.0201"
    wrong = {"delete_target_server": "yes"}
    assert await world.refused("DELETE", f"{PATH}/{instance_id}", wrong) == "SDRS.0201"


async def test_delete_instance_when_what_goes_with_it_must_stay_then_its_code(world: World) -> None:
    group_id = await world.group()
    instance = await world.row(Instance, await world.instance(group_id))
    path = f"{PATH}/{instance.id}"
    await world.update(Server, instance.target_server_id, attributes={"billing": "prePaid"})
    assert await world.refused("DELETE", path, {"delete_target_server": True}) == "SDRS.1354"
    await world.set_station(group_id, Station.TARGET)
    assert await world.refused("DELETE", path, {"delete_target_server": True}) == "SDRS.1330"
    assert await world.refused("DELETE", path, {"delete_target_eip": True}) == "SDRS.1338"


async def test_delete_instance_when_a_pair_is_shared_or_busy_then_its_code(world: World) -> None:
    group_id = await world.group()
    instance_id, other_id = await world.instance(group_id), await world.instance(group_id)
    link = next(row for row in await world.all(PairAttachment) if row.instance_id == instance_id)
    await world.update(Pair, link.pair_id, status="detaching")
    assert await world.refused("DELETE", f"{PATH}/{instance_id}") == "SDRS.1601"
    await world.insert(PairAttachment(id=new_id(), pair_id=link.pair_id, instance_id=other_id, device="/dev/vdz"))
    assert await world.refused("DELETE", f"{PATH}/{instance_id}") == "SDRS.1365"
    await world.update(Group, group_id, status="stopping")
    assert await world.refused("DELETE", f"{PATH}/{instance_id}") == "SDRS.1002"
