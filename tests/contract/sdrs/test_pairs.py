"""Replication pairs: create, show, list, rename, delete, attach, detach."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.domain.model import Group, Instance, Job, Pair, PairAttachment, Quota
from opensdrs.domain.statuses import Station
from tests.contract.sdrs.world import AZ1, AZ2, PROJECT, World

PATH = "/replications"


def body(group: str, volume: str, **values: Any) -> dict[str, Any]:
    return {"replication": {"server_group_id": group, "volume_id": volume, "name": "p", **values}}


async def test_create_pair_then_rows_and_a_job_of_strings(world: World) -> None:
    group_id, volume_id = await world.group(), await world.volume(shared=True)
    job = await world.job(await world.accepted("POST", PATH, body(group_id, volume_id, description="d")))
    (pair,) = await world.all(Pair)
    assert (pair.status, pair.source_volume_id, pair.description) == ("creating", volume_id, "d")
    copy = await world.row(Volume, pair.target_volume_id)
    assert (copy.site, copy.status, copy.managed_by, copy.shared) == (AZ2, VolumeStatus.CREATING, pair.id, True)
    assert (job.job_type, job.params, job.group_id) == ("createReplicationPairNoCG", {}, group_id)
    shown = (await world.call("GET", f"/jobs/{job.id}")).json()
    assert shown["entities"] == {"replication_pair_id": pair.id}
    assert len(await world.all(Job)) == 2


async def test_create_pair_when_the_target_is_in_production_then_its_disk_is_the_target_disk(world: World) -> None:
    group_id, near, far = await world.group(), await world.volume(), await world.volume(site=AZ2)
    await world.set_station(group_id, Station.TARGET)
    assert await world.refused("POST", PATH, body(group_id, near)) == "SDRS.1810"
    await world.accepted("POST", PATH, body(group_id, far))
    (pair,) = await world.all(Pair)
    assert pair.target_volume_id == far
    assert (await world.row(Volume, pair.source_volume_id)).site == AZ1


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": "a/b"}, "SDRS.0202"),
        ({"description": ">"}, "SDRS.0212"),
        ({"server_group_id": "x"}, "SDRS.0207"),
        ({"server_group_id": "0" * 32}, "SDRS.1013"),
        ({"volume_id": "x"}, "SDRS.0211"),
        ({"volume_id": None}, "SDRS.0211"),
        ({"volume_id": "0" * 32}, "SDRS.0211"),
        ({"cluster_id": "x"}, "SDRS.0218"),
        ({"cluster_id": "0" * 32}, "SDRS.1382"),
    ],
)
async def test_create_pair_when_a_field_is_wrong_then_its_code(world: World, values: dict[str, Any], code: str) -> None:
    assert await world.refused("POST", PATH, body(await world.group(), await world.volume(), **values)) == code
    assert await world.all(Pair) == []


async def test_create_pair_when_no_volume_is_given_then_1803(world: World) -> None:
    wanted = {"replication": {"server_group_id": await world.group(), "name": "p"}}
    assert await world.refused("POST", PATH, wanted) == "SDRS.1803"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"site": AZ2}, "SDRS.1810"),
        ({"encrypted": True}, "SDRS.1802"),
        ({"status": VolumeStatus.IN_USE}, "SDRS.1801"),
        ({"status": VolumeStatus.ERROR}, "SDRS.1801"),
        ({"attributes": {"frozen": True}}, "SDRS.0225"),
        ({"attributes": {"locked": True}}, "SDRS.1831"),
        ({"project_id": "2" * 32}, "SDRS.0211"),
    ],
)
async def test_create_pair_when_the_disk_is_unfit_then_its_code(
    world: World, values: dict[str, Any], code: str
) -> None:
    assert await world.refused("POST", PATH, body(await world.group(), await world.volume(**values))) == code


async def test_create_pair_when_disk_group_or_quota_are_used_then_their_codes(world: World) -> None:
    group_id = await world.group()
    pair = await world.row(Pair, await world.pair(group_id))
    assert await world.refused("POST", PATH, body(group_id, pair.source_volume_id)) == "SDRS.1811"
    await world.set_station(group_id, Station.TARGET)
    assert await world.refused("POST", PATH, body(group_id, pair.target_volume_id)) == "SDRS.1811"
    await world.set_station(group_id, Station.SOURCE)
    await world.insert(Quota(id=new_id(), project_id=PROJECT, type="replications", quota=1))
    assert await world.refused("POST", PATH, body(group_id, await world.volume())) == "SDRS.0306"
    await world.update(Group, group_id, status="failed-over")
    assert await world.refused("POST", PATH, body(group_id, await world.volume())) == "SDRS.1002"


async def test_show_pair_then_exactly_the_documented_fields(world: World) -> None:
    group_id = await world.group()
    instance_id = await world.instance(group_id)
    (pair,) = await world.all(Pair)
    assert (await world.call("GET", f"{PATH}/{pair.id}")).json() == {
        "replication": {
            "id": pair.id,
            "name": "i-vda",
            "description": None,
            "replication_model": "hypermetro",
            "status": "available",
            "progress": 0,
            "replication_status": "inactive",
            "attachment": [{"device": "/dev/vda", "protected_instance": instance_id}],
            "server_group_id": group_id,
            "volume_ids": f"{pair.source_volume_id},{pair.target_volume_id}",
            "priority_station": "source",
            "fault_level": "0",
            "created_at": "2023-11-14T22:13:20.000000",
            "updated_at": "2023-11-14T22:13:20.000000",
            "record_metadata": {"multiattach": False, "bootable": True, "volume_size": 10, "volume_type": "SSD"},
            "failure_detail": None,
            "synchronization": {"total_bytes": 0, "copied_bytes": 0, "sent_bytes": 0},
        }
    }
    answer = await world.call("PUT", f"{PATH}/{pair.id}", {"replication": {"name": "new"}})
    assert answer.json()["replication"]["name"] == "new"
    await world.update(Pair, pair.id, status="error", failure_detail="SDRS.1812")
    assert (await world.call("GET", f"{PATH}/{pair.id}")).json()["replication"]["failure_detail"] == "SDRS.1812"


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
async def test_pair_when_malformed_unknown_or_anothers_then_invalid_or_not_found(world: World, verb: str) -> None:
    wanted = {"replication": {"name": "n"}}
    pair_id = await world.pair(await world.group())
    assert await world.refused(verb, f"{PATH}/x", wanted) == "SDRS.0213"
    assert await world.refused(verb, f"{PATH}/{new_id()}", wanted) == "SDRS.1608"
    assert await world.refused(verb, f"{PATH}/{pair_id}", wanted, token="stranger") == "SDRS.1608"


async def test_list_pairs_then_filters_are_combined(world: World) -> None:
    first, second = await world.group(), await world.group(name="h")
    instance_id = await world.instance(first)
    (attached,) = await world.all(Pair)
    loose, far = await world.pair(first), await world.pair(second)
    copy = (await world.row(Pair, far)).target_volume_id

    async def listed(**query: Any) -> set[str]:
        answer = (await world.call("GET", PATH, **query)).json()
        assert answer["count"] == len(answer["replications"])
        return {row["id"] for row in answer["replications"]}

    assert await listed() == {attached.id, loose, far}
    assert await listed(server_group_id=first) == {attached.id, loose}
    assert await listed(protected_instance_id=instance_id) == {attached.id}
    assert await listed(protected_instance_ids=[instance_id], server_group_ids=second) == set()
    assert await listed(volume_id=copy) == {far}
    assert await listed(name="i-v", status="available") == {attached.id}
    await world.update(Pair, loose, status="fault")
    assert await listed(query_type="status_abnormal") == {loose}
    for query, code in (
        ({"volume_id": "x"}, "SDRS.0211"),
        ({"protected_instance_id": "x"}, "SDRS.0208"),
        ({"query_type": "stop_protected"}, "SDRS.0201"),
    ):
        assert await world.refused("GET", PATH, **query) == code


@pytest.mark.parametrize("content", [None, b"{}", b'{"replication": {}}', b'{"replication": null}'])
async def test_delete_pair_when_nothing_is_asked_for_then_the_dr_disk_stays(
    world: World, content: bytes | None
) -> None:
    pair_id = await world.pair(await world.group())
    job = await world.job(await world.accepted("DELETE", f"{PATH}/{pair_id}", content))
    assert (job.job_type, job.params) == ("deleteReplicationPairNoCG", {"delete_target_volume": False})
    assert (await world.row(Pair, pair_id)).status == "deleting"
    assert await world.refused("DELETE", f"{PATH}/{pair_id}", content) == "SDRS.1601"


async def test_delete_pair_when_it_must_stay_then_its_code(world: World) -> None:
    group_id = await world.group()
    pair = await world.row(Pair, await world.pair(group_id))
    path = f"{PATH}/{pair.id}"
    assert await world.refused("DELETE", path, {"replication": {"server_group_id": new_id()}}) == "SDRS.1611"
    assert await world.refused("DELETE", path, {"replication": {"server_group_id": "x"}}) == "SDRS.0207"
    assert await world.refused("DELETE", path, {"replication": {"delete_target_volume": 1}}) == "SDRS.0201"
    assert await world.refused("DELETE", path, {"replication": 1}) == "SDRS.0201"
    whole = {"replication": {"delete_target_volume": True, "server_group_id": group_id}}
    await world.update(Volume, pair.target_volume_id, attributes={"billing": "prePaid"})
    assert await world.refused("DELETE", path, whole) == "SDRS.1827"
    await world.set_station(group_id, Station.TARGET)
    assert await world.refused("DELETE", path, whole) == "SDRS.1809"
    await world.update(Group, group_id, status="reversing")
    assert await world.refused("DELETE", path) == "SDRS.1002"
    await world.update(Group, group_id, status="available")
    await world.instance(await world.group(name="h"))
    attached = next(link.pair_id for link in await world.all(PairAttachment))
    assert await world.refused("DELETE", f"{PATH}/{attached}") == "SDRS.1605"


def attach_path(instance_id: str) -> str:
    return f"/protected-instances/{instance_id}/attachreplication"


def attach_body(pair: str, device: str = "/dev/sdb") -> dict[str, Any]:
    return {"replicationAttachment": {"replication_id": pair, "device": device}}


def detach_path(instance_id: str, pair_id: str) -> str:
    return f"/protected-instances/{instance_id}/detachreplication/{pair_id}"


async def test_attach_pair_then_both_servers_get_their_disk(world: World) -> None:
    group_id = await world.group("available")
    instance = await world.row(Instance, await world.instance(group_id))
    pair = await world.row(Pair, await world.pair(group_id))
    job = await world.job(await world.accepted("POST", attach_path(instance.id), attach_body(pair.id)))
    assert (job.job_type, job.params) == (
        "attachReplicationPairNew", {"instance_id": instance.id, "device": "/dev/vdb"}
    )  # fmt: skip
    assert job.entities == {"protected_instance_id": instance.id, "replication_pair_id": pair.id}
    assert (await world.row(Pair, pair.id)).status == "attaching"
    disks = {(row.server_id, row.volume_id) for row in await world.all(Attachment) if row.device == "/dev/vdb"}
    assert disks == {
        (instance.source_server_id, pair.source_volume_id),
        (instance.target_server_id, pair.target_volume_id),
    }
    assert await world.refused("POST", attach_path(instance.id), attach_body(pair.id)) == "SDRS.1601"
    await world.settle_failed(job.id)
    assert await world.refused("POST", attach_path(instance.id), attach_body(pair.id, "/dev/vdc")) == "SDRS.1603"
    await world.accepted("POST", attach_path(instance.id), attach_body(pair.id))
    assert len(await world.all(PairAttachment)) == 2


async def test_attach_pair_when_it_cannot_then_its_code(world: World) -> None:
    group_id = await world.group()
    instance = await world.row(Instance, await world.instance(group_id))
    other_id = await world.instance(group_id)
    pair_id = await world.pair(group_id)
    path = attach_path(instance.id)
    assert await world.refused("POST", attach_path("x"), attach_body(pair_id)) == "SDRS.0208"
    assert await world.refused("POST", attach_path(new_id()), attach_body(pair_id)) == "SDRS.1320"
    assert await world.refused("POST", path, attach_body("x")) == "SDRS.0213"
    assert await world.refused("POST", path, attach_body(new_id())) == "SDRS.1608"
    for device in ("vdb", "/dev/vdB", "/dev/vdaa", "/dev/../x", ""):
        assert await world.refused("POST", path, attach_body(pair_id, device)) == "SDRS.0201", device
    assert await world.refused("POST", path, {"replicationAttachment": {"device": "/dev/vdb"}}) == "SDRS.0213"
    assert await world.refused("POST", path, attach_body(pair_id, "/dev/vda")) == "SDRS.1603"
    attached = next(link.pair_id for link in await world.all(PairAttachment) if link.instance_id == other_id)
    assert await world.refused("POST", path, attach_body(attached)) == "SDRS.1603"
    elsewhere = await world.pair(await world.group(name="h"))
    assert await world.refused("POST", path, attach_body(elsewhere)) == "SDRS.1611"
    volume_id = (await world.row(Pair, pair_id)).source_volume_id
    stranger = await world.server()
    await world.insert(Attachment(id=new_id(), server_id=stranger, volume_id=volume_id, device="/dev/vdb"))
    assert await world.refused("POST", path, attach_body(pair_id)) == "SDRS.1801"
    await world.update(Instance, instance.id, status="error")
    assert await world.refused("POST", path, attach_body(pair_id)) == "SDRS.1328"
    await world.update(Group, group_id, status="failed-over")
    assert await world.refused("POST", path, attach_body(pair_id)) == "SDRS.1002"


async def test_attach_pair_when_it_is_shared_then_several_instances_may_have_it(world: World) -> None:
    group_id = await world.group()
    first, second = await world.instance(group_id), await world.instance(group_id)
    pair_id = await world.pair(group_id, await world.volume(shared=True))
    for instance_id in (first, second):
        await world.settle_done(await world.accepted("POST", attach_path(instance_id), attach_body(pair_id)))
    assert await world.refused("POST", attach_path(first), attach_body(pair_id)) == "SDRS.1603"


async def test_detach_pair_when_data_disk_then_admitted_and_rows_stay_for_the_flow(world: World) -> None:
    group_id = await world.group()
    instance_id = await world.instance(group_id, await world.server(devices=("/dev/vda", "/dev/vdb")))
    pairs = {link.device: link.pair_id for link in await world.all(PairAttachment)}
    assert await world.refused("DELETE", detach_path(instance_id, pairs["/dev/vda"])) == "SDRS.1316"
    job = await world.job(await world.accepted("DELETE", detach_path(instance_id, pairs["/dev/vdb"])))
    assert (job.job_type, job.params) == ("detachReplicationPairNew", {"instance_id": instance_id})
    assert (await world.row(Pair, pairs["/dev/vdb"])).status == "detaching"
    assert len(await world.all(PairAttachment)) == 2
    instance = await world.row(Instance, instance_id)
    await world.update(Server, instance.source_server_id, status=ServerStatus.SHUTOFF)
    await world.accepted("DELETE", detach_path(instance_id, pairs["/dev/vda"]))


async def test_detach_pair_when_it_cannot_then_its_code(world: World) -> None:
    group_id = await world.group()
    instance_id = await world.instance(group_id)
    loose = await world.pair(group_id)
    attached = next(link.pair_id for link in await world.all(PairAttachment))
    assert await world.refused("DELETE", detach_path(instance_id, "x")) == "SDRS.0213"
    assert await world.refused("DELETE", detach_path(instance_id, new_id())) == "SDRS.1608"
    assert await world.refused("DELETE", detach_path("x", loose)) == "SDRS.0208"
    assert await world.refused("DELETE", detach_path(new_id(), loose)) == "SDRS.1320"
    assert await world.refused("DELETE", detach_path(instance_id, loose)) == "SDRS.1604"
    await world.update(Instance, instance_id, status="deleting")
    assert await world.refused("DELETE", detach_path(instance_id, attached)) == "SDRS.1328"
    await world.update(Group, group_id, status="error")
    assert await world.refused("DELETE", detach_path(instance_id, attached)) == "SDRS.1002"
