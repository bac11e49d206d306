"""Several protected instances as one job: create and delete."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import Attachment, Server, Volume, VolumeStatus
from opensdrs.domain.model import Group, Instance, Job, Pair, PairAttachment, Quota, Tag
from opensdrs.domain.statuses import Station
from tests.contract.sdrs.world import PROJECT, World

PATH = "/protected-instances/batch"
DELETE = "/protected-instances/delete"


def body(group: str, *servers: str, **values: Any) -> dict[str, Any]:
    listed = [{"server_id": server} for server in servers]
    return {"protected_instances": {"name_prefix": "i", "server_group_id": group, "servers": listed, **values}}


def deletion(*ids: str, **values: Any) -> dict[str, Any]:
    return {"protected_instances": [{"id": row} for row in ids], **values}


async def share(world: World, *servers: str, device: str = "/dev/vdb", **values: Any) -> str:
    disk = await world.volume(status=VolumeStatus.IN_USE, shared=True, **values)
    await world.insert(
        *(Attachment(id=new_id(), server_id=server, volume_id=disk, device=device) for server in servers)
    )
    return disk


async def made(world: World, wanted: dict[str, Any]) -> list[Instance]:
    """Create a batch, settle it, and return its instances by name."""
    job_id = await world.accepted("POST", PATH, wanted, status=202)
    await world.settle_done(job_id)
    ids = (await world.job(job_id)).params["instances"]
    return sorted([await world.row(Instance, row) for row in ids], key=lambda row: row.name)


async def test_create_batch_then_one_job_with_a_part_for_each(world: World) -> None:
    group_id = await world.group()
    servers = [await world.server(name=name, devices=("/dev/vda", "/dev/vdb")) for name in ("web", "db")]
    wanted = body(group_id, description="d", tags=[{"key": "k", "value": "v"}], primary_subnet_id=world.subnet_id)
    wanted["protected_instances"]["servers"] = [
        {"server_id": servers[0], "flavorRef": "large"},
        {"server_id": servers[1]},
    ]
    job_id = await world.accepted("POST", PATH, wanted, status=202)
    job = await world.job(job_id)
    instances = {row.name: row for row in await world.all(Instance)}
    assert list(sorted(instances)) == ["i-0001", "i-0002"]
    assert [instances[name].source_server_id for name in ("i-0001", "i-0002")] == servers
    assert {(row.status, row.description, row.group_id) for row in instances.values()} == {("creating", "d", group_id)}
    drs = [await world.row(Server, instances[name].target_server_id) for name in ("i-0001", "i-0002")]
    assert [(dr.name, dr.flavor_id) for dr in drs] == [("web", "large"), ("db", "small")]
    assert len(await world.all(Tag)) == 2
    pairs = await world.all(Pair)
    assert sorted(pair.name for pair in pairs) == ["i-0001-vda", "i-0001-vdb", "i-0002-vda", "i-0002-vdb"]
    assert set(job.params["new_pairs"]) == {pair.id for pair in pairs}
    assert (job.job_type, job.resource_id, job.group_id) == (
        "createProtectedInstanceNoCG", instances["i-0001"].id, group_id
    )  # fmt: skip
    shown = (await world.call("GET", f"/jobs/{job_id}")).json()
    parts = shown["entities"].pop("sub_jobs")
    assert shown["entities"] == {"server_group_id": group_id}
    assert [part["entities"] for part in parts] == [
        {"protected_instance_id": instances[name].id, "server_group_id": group_id} for name in ("i-0001", "i-0002")
    ]
    assert {part["job_type"] for part in parts} == {"createProtectedInstanceNoCG"}


async def test_create_batch_when_a_disk_is_shared_then_one_copy_and_one_pair_for_all(world: World) -> None:
    group_id, servers = await world.group(), [await world.server() for _ in range(3)]
    disk = await share(world, *servers)
    instances = await made(world, body(group_id, *servers))
    (pair,) = [pair for pair in await world.all(Pair) if pair.source_volume_id == disk]
    assert len(await world.all(Pair)) == 4
    links = [link for link in await world.all(PairAttachment) if link.pair_id == pair.id]
    assert {(link.instance_id, link.device) for link in links} == {(row.id, "/dev/vdb") for row in instances}
    copy = await world.row(Volume, pair.target_volume_id)
    assert copy.shared is True
    users = {row.server_id for row in await world.all(Attachment) if row.volume_id == copy.id}
    assert users == {row.target_server_id for row in instances}


async def test_create_batch_when_a_pair_exists_for_a_shared_disk_then_it_is_used(world: World) -> None:
    group_id, servers = await world.group(), [await world.server() for _ in range(2)]
    disk = await world.volume(shared=True)
    pair_id = await world.pair(group_id, disk)
    await world.insert(*(Attachment(id=new_id(), server_id=row, volume_id=disk, device="/dev/vdb") for row in servers))
    await made(world, body(group_id, *servers))
    assert len([link for link in await world.all(PairAttachment) if link.pair_id == pair_id]) == 2
    assert len(await world.all(Pair)) == 3


async def test_create_batch_when_a_sharer_is_missing_then_1408_and_single_1806(world: World) -> None:
    group_id, servers = await world.group(), [await world.server() for _ in range(3)]
    await share(world, *servers)
    assert await world.refused("POST", PATH, body(group_id, *servers[:2])) == "SDRS.1408"
    single = {"server_group_id": group_id, "server_id": servers[0], "name": "i"}
    assert await world.refused("POST", "/protected-instances", {"protected_instance": single}) == "SDRS.1806"
    assert await world.all(Pair) == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name_prefix": None}, "SDRS.0202"),
        ({"name_prefix": ""}, "SDRS.0202"),
        ({"name_prefix": "x" * 60}, "SDRS.0202"),
        ({"name_prefix": "a b"}, "SDRS.0202"),
        ({"description": "<"}, "SDRS.0212"),
        ({"server_group_id": "x"}, "SDRS.0207"),
        ({"server_group_id": "0" * 32}, "SDRS.1013"),
        ({"servers": None}, "SDRS.0201"),
        ({"servers": []}, "SDRS.0201"),
        ({"servers": [{}]}, "SDRS.1360"),
        ({"servers": [{"server_id": None}]}, "SDRS.1360"),
        ({"servers": [{"server_id": "x"}]}, "SDRS.1360"),
        ({"servers": [{"server_id": "0" * 32}]}, "SDRS.1360"),
        ({"servers": [{"server_id": "0" * 32}] * 2}, "SDRS.1361"),
        ({"servers": [{"server_id": "0" * 32}] * 6}, "SDRS.1362"),
        ({"cluster_id": "x"}, "SDRS.0218"),
        ({"tenancy": "own"}, "SDRS.0228"),
        ({"tenancy": "dedicated"}, "SDRS.1366"),
        ({"dedicated_host_id": "0" * 32}, "SDRS.1371"),
        ({"primary_subnet_id": "0" * 32}, "SDRS.1335"),
        ({"tags": [{"key": "k", "value": "v"}] * 2}, "SDRS.2209"),
    ],
)
async def test_create_batch_when_a_field_is_wrong_then_its_code(
    world: World, values: dict[str, Any], code: str
) -> None:
    wanted = body(await world.group(), await world.server(), **values)
    assert await world.refused("POST", PATH, wanted) == code


async def test_create_batch_when_one_server_is_unfit_then_nothing_is_made(world: World) -> None:
    group_id, good = await world.group(), await world.server()
    protected = await world.server()
    await world.instance(group_id, protected)
    unfit = {
        protected: "SDRS.1305",
        await world.server(devices=()): "SDRS.1321",
        await world.server(status="ERROR"): "SDRS.1333",
        await world.server(project_id="2" * 32): "SDRS.1360",
    }
    before = len(await world.all(Server)), len(await world.all(Job))
    for server, code in unfit.items():
        assert await world.refused("POST", PATH, body(group_id, good, server)) == code
    assert await world.refused("POST", PATH, [good]) == "SDRS.0201"
    assert await world.refused("POST", PATH, {"protected_instances": [good]}) == "SDRS.0201"
    await world.update(Group, group_id, status="stopping")
    assert await world.refused("POST", PATH, body(group_id, good)) == "SDRS.1002"
    assert (len(await world.all(Server)), len(await world.all(Job))) == before
    assert len(await world.all(Instance)) == 1


async def test_create_batch_when_the_quota_is_short_then_a_shared_disk_counts_once(world: World) -> None:
    quota = Quota(id=new_id(), project_id=PROJECT, type="replications", quota=2)
    await world.insert(quota)
    group_id, servers = await world.group(), [await world.server() for _ in range(2)]
    await share(world, *servers)
    assert await world.refused("POST", PATH, body(group_id, *servers)) == "SDRS.0306"
    await world.update(Quota, quota.id, quota=3)
    await made(world, body(group_id, *servers))


async def test_delete_batch_then_one_job_and_all_are_deleting(world: World) -> None:
    group_id = await world.group()
    instances = await made(world, body(group_id, *[await world.server() for _ in range(2)]))
    ids = [row.id for row in instances]
    job_id = await world.accepted("POST", DELETE, deletion(*ids, delete_target_server=True), status=202)
    job = await world.job(job_id)
    assert job.params == {"instances": ids, "delete_target_server": True, "delete_target_eip": False}
    assert job.job_type == "deleteProtectedInstanceNoCG"
    assert {row.status for row in await world.all(Instance)} == {"deleting"}
    entities = (await world.call("GET", f"/jobs/{job_id}")).json()["entities"]
    assert entities["server_group_id"] == group_id
    assert [part["entities"]["protected_instance_id"] for part in entities["sub_jobs"]] == ids
    assert await world.refused("POST", DELETE, deletion(*ids)) == "SDRS.1301"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (None, "SDRS.0201"),
        ({}, "SDRS.0201"),
        ({"protected_instances": {}}, "SDRS.0201"),
        (deletion(), "SDRS.0201"),
        (deletion("x"), "SDRS.0208"),
        ({"protected_instances": [{}]}, "SDRS.0208"),
        ({"protected_instances": [{"id": 1}]}, "SDRS.0208"),
        (deletion("0" * 32), "SDRS.1320"),
        (deletion("0" * 32, "0" * 32), "SDRS.1363"),
        (deletion(*[f"{number:032x}" for number in range(21)]), "SDRS.0226"),
        (deletion("0" * 32, delete_target_server="yes"), "SDRS.0201"),
    ],
)
async def test_delete_batch_when_the_list_is_wrong_then_its_code(world: World, wanted: Any, code: str) -> None:
    assert await world.refused("POST", DELETE, wanted) == code


async def test_delete_batch_when_instances_are_elsewhere_then_its_code(world: World) -> None:
    groups = [await world.group(name=name) for name in "ab"]
    ids = [await world.instance(group_id) for group_id in groups]
    assert await world.refused("POST", DELETE, deletion(*ids)) == "SDRS.1364"
    assert await world.refused("POST", DELETE, deletion(ids[0]), token="stranger") == "SDRS.1320"
    await world.set_station(groups[0], Station.TARGET)
    assert await world.refused("POST", DELETE, deletion(ids[0], delete_target_server=True)) == "SDRS.1330"
    assert await world.refused("POST", DELETE, deletion(ids[0], delete_target_eip=True)) == "SDRS.1338"
    server_id = (await world.row(Instance, ids[1])).target_server_id
    await world.update(Server, server_id, attributes={"billing": "prePaid"})
    assert await world.refused("POST", DELETE, deletion(ids[1], delete_target_server=True)) == "SDRS.1354"
    await world.update(Group, groups[1], status="stopping")
    assert await world.refused("POST", DELETE, deletion(ids[1])) == "SDRS.1002"


async def test_delete_batch_when_a_sharer_is_missing_then_1409_and_single_1365(world: World) -> None:
    group_id, servers = await world.group(), [await world.server() for _ in range(3)]
    await share(world, *servers)
    ids = [row.id for row in await made(world, body(group_id, *servers))]
    assert await world.refused("DELETE", f"/protected-instances/{ids[0]}") == "SDRS.1365"
    assert await world.refused("POST", DELETE, deletion(*ids[:2])) == "SDRS.1409"
    assert {row.status for row in await world.all(Instance)} == {"available"}
    (pair,) = [row for row in await world.all(Pair) if row.name.endswith("vdb")]
    await world.update(Pair, pair.id, status="detaching")
    assert await world.refused("POST", DELETE, deletion(*ids)) == "SDRS.1601"
    await world.update(Pair, pair.id, status="available")
    await world.accepted("POST", DELETE, deletion(*ids), status=202)
