"""Larger disks for a replication pair."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import StoragePool, Volume, VolumeStatus, VolumeType
from opensdrs.domain.model import Drill, Group, Pair
from opensdrs.store import rows
from tests.contract.sdrs.world import AZ2, PROJECT, World


def path(pair_id: str) -> str:
    return f"/replications/{pair_id}/action"


def body(new_size: Any) -> dict[str, Any]:
    return {"extend-replication": {"new_size": new_size}}


async def made(world: World, **disk: Any) -> Pair:
    """Make an unattached pair of 10 GB."""
    pair: Pair = await world.row(Pair, await world.pair(await world.group(), await world.volume(**disk)))
    await world.update(Volume, pair.target_volume_id, status=VolumeStatus.AVAILABLE)
    return pair


@pytest.mark.parametrize(("new_size", "size_gib"), [(11, 11), (20.9, 20), (32768, 32768)])
async def test_extend_then_a_job_of_strings_with_the_size_in_full_gb(
    world: World, new_size: Any, size_gib: int
) -> None:
    pair = await made(world)
    job = await world.job(await world.accepted("POST", path(pair.id), body(new_size)))
    assert (job.job_type, job.params) == ("expandReplicationPairNew", {"size_gib": size_gib})
    shown = (await world.call("GET", f"/jobs/{job.id}")).json()
    assert shown["entities"] == {"replication_pair_id": pair.id}
    assert (await world.row(Pair, pair.id)).status == "extending"
    assert await world.refused("POST", path(pair.id), body(40)) == "SDRS.1601"
    assert (
        await world.refused("POST", f"/server-groups/{pair.group_id}/action", {"start-server-group": {}}) == "SDRS.1002"
    )


async def test_extend_then_volume_size_is_an_integer(world: World) -> None:
    pair = await made(world)
    await world.settle_done(await world.accepted("POST", path(pair.id), body(12)))
    for volume_id in (pair.source_volume_id, pair.target_volume_id):
        await world.update(Volume, volume_id, size_gib=12)
    shown = (await world.call("GET", f"/replications/{pair.id}")).json()["replication"]
    assert shown["record_metadata"]["volume_size"] == 12


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({}, "SDRS.0206"),
        ({"shrink-replication": {}}, "SDRS.0206"),
        ({**body(11), "other": {}}, "SDRS.0206"),
        ({"extend-replication": None}, "SDRS.0201"),
        ({"extend-replication": {}}, "SDRS.0201"),
        (body("11"), "SDRS.0201"),
        (body(True), "SDRS.0201"),
        (body(None), "SDRS.0201"),
        (body(10), "SDRS.0201"),
        (body(10.9), "SDRS.0201"),
        (body(9), "SDRS.0201"),
        (body(-1), "SDRS.0201"),
        (body(32769), "SDRS.0201"),
        (body(1e400), "SDRS.0201"),
        (b'{"extend-replication": {"new_size": 1e400}}', "SDRS.0201"),
    ],
)
async def test_extend_when_the_body_is_wrong_then_its_code(world: World, document: Any, code: str) -> None:
    pair = await made(world)
    assert await world.refused("POST", path(pair.id), document) == code
    assert (await world.row(Pair, pair.id)).status == "available"


async def test_extend_when_the_pair_is_not_found_then_its_code(world: World) -> None:
    pair = await made(world)
    assert await world.refused("POST", path("x"), body(11)) == "SDRS.0213"
    assert await world.refused("POST", path(new_id()), body(11)) == "SDRS.1608"
    assert await world.refused("POST", path(pair.id), body(11), token="stranger") == "SDRS.1608"
    assert await world.refused("POST", path(pair.id), body(11), token="reader") == "SDRS.0005"


@pytest.mark.parametrize("which", ["source_volume_id", "target_volume_id"])
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"status": VolumeStatus.ERROR}, "SDRS.1817"),
        ({"status": VolumeStatus.CREATING}, "SDRS.1817"),
        ({"shared": True, "status": VolumeStatus.IN_USE}, "SDRS.1818"),
        ({"attributes": {"billing": "prePaid"}}, "SDRS.1819"),
        ({"attributes": {"frozen": True}}, "SDRS.0225"),
        ({"attributes": {"locked": True}}, "SDRS.1832"),
        ({"size_gib": 9}, "SDRS.1814"),
    ],
)
async def test_extend_when_a_disk_cannot_then_its_code(
    world: World, which: str, values: dict[str, Any], code: str
) -> None:
    pair = await made(world)
    await world.update(Volume, getattr(pair, which), **values)
    assert await world.refused("POST", path(pair.id), body(11)) == code


async def test_extend_when_a_disk_was_deleted_outside_then_1817(world: World) -> None:
    pair = await made(world)
    async with world.database.write() as connection:
        await rows.delete(connection, Volume, [pair.target_volume_id])
    assert await world.refused("POST", path(pair.id), body(11)) == "SDRS.1817"


async def test_extend_when_the_disks_are_in_use_or_shared_and_free_then_accepted(world: World) -> None:
    pair = await made(world, shared=True)
    await world.accepted("POST", path(pair.id), body(11))
    other = await made(world)
    for volume_id in (other.source_volume_id, other.target_volume_id):
        await world.update(Volume, volume_id, status=VolumeStatus.IN_USE)
    await world.accepted("POST", path(other.id), body(11))


async def test_extend_when_it_failed_then_the_same_size_again_but_no_smaller_one(world: World) -> None:
    pair = await made(world)
    await world.settle_failed(await world.accepted("POST", path(pair.id), body(20)))
    assert (await world.row(Pair, pair.id)).status == "error-extending"
    await world.update(Volume, pair.target_volume_id, size_gib=20)
    assert await world.refused("POST", path(pair.id), body(19)) == "SDRS.0201"
    await world.accepted("POST", path(pair.id), body(20))


async def test_extend_when_it_failed_then_in_the_task_centre_as_expand_fail(world: World) -> None:
    pair = await made(world)
    job_id = await world.accepted("POST", path(pair.id), body(20))
    await world.settle_failed(job_id)
    query = {"failure_status": "expandFail", "server_group_id": pair.group_id}
    found = (await world.call("GET", "/task-center/failure-jobs", **query)).json()["failure_jobs"]
    assert [(job["job_id"], job["error_code"]) for job in found] == [(job_id, "SDRS.1820")]


@pytest.mark.parametrize("status", ["failed-over", "fault", "invalid", "error-attaching", "creating", "error-stopping"])
async def test_extend_when_the_pair_is_in_another_status_then_1601(world: World, status: str) -> None:
    pair = await made(world)
    await world.update(Pair, pair.id, status=status)
    assert await world.refused("POST", path(pair.id), body(11)) == "SDRS.1601"


@pytest.mark.parametrize("status", ["failed-over", "stopping", "error-starting"])
async def test_extend_when_the_group_is_in_another_status_then_1002(world: World, status: str) -> None:
    pair = await made(world)
    await world.update(Group, pair.group_id, status=status)
    assert await world.refused("POST", path(pair.id), body(11)) == "SDRS.1002"


async def test_extend_when_the_copy_is_not_complete_then_1830(world: World) -> None:
    pair = await made(world)
    await world.update(Group, pair.group_id, status="protected")
    await world.update(Pair, pair.id, status="protected", replication_status="copying")
    assert await world.refused("POST", path(pair.id), body(11)) == "SDRS.1830"
    await world.update(Pair, pair.id, replication_status="active")
    await world.accepted("POST", path(pair.id), body(11))


async def test_extend_when_a_drill_relies_on_the_disk_then_1825(world: World) -> None:
    pair = await made(world)
    drill = Drill(
        id=new_id(), project_id=PROJECT, group_id=pair.group_id, name="d", status="available",
        drill_vpc_id=world.vpc_id, created_at=0.0, updated_at=0.0,
    )  # fmt: skip
    await world.insert(drill)
    assert await world.refused("POST", path(pair.id), body(11)) == "SDRS.1825"


async def test_extend_when_the_storage_pool_is_too_small_then_1385(world: World) -> None:
    pair = await made(world)
    pool = StoragePool(
        id=new_id(), project_id=PROJECT, name="p", site=AZ2, type=VolumeType.SSD, capacity_gib=15, status="available",
        created_at=0.0,
    )  # fmt: skip
    await world.insert(pool)
    await world.update(Volume, pair.target_volume_id, storage_pool_id=pool.id)
    assert await world.refused("POST", path(pair.id), body(16)) == "SDRS.1385"
    await world.accepted("POST", path(pair.id), body(15))
