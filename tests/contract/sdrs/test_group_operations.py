"""Operations on whole groups: what they refuse, what they move, what they tell the flow."""

import pytest

from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.domain.model import Group, Instance, Job, Pair
from opensdrs.domain.statuses import Station
from opensdrs.domain.witness import Copy
from tests.contract.sdrs.world import NOW, World

START, STOP = {"start-server-group": {}}, {"stop-server-group": {}}
FAILOVER = {"failover-server-group": {}}
TO_TARGET = {"reverse-server-group": {"priority_station": "target"}}
TO_SOURCE = {"reverse-server-group": {"priority_station": "source"}}


def action(group_id: str) -> str:
    return f"/server-groups/{group_id}/action"


async def statuses(world: World) -> set[str]:
    """The statuses of all groups, instances and pairs."""
    return {row.status for kind in (Group, Instance, Pair) for row in await world.all(kind)}


async def parts(world: World, job_id: str) -> list[Job]:
    return [job for job in await world.all(Job) if job.parent_id == job_id]


@pytest.mark.parametrize(
    "body", [{}, {"explode": {}}, {**START, **STOP}, {**START, "x": 1}, {"start-server-groups": {}}]
)
async def test_action_when_unknown_or_ambiguous_then_0206(world: World, body: dict[str, object]) -> None:
    assert await world.refused("POST", action(await world.group()), body) == "SDRS.0206"


async def test_action_when_its_value_is_no_object_then_0201(world: World) -> None:
    assert await world.refused("POST", action(await world.group()), {"start-server-group": 5}) == "SDRS.0201"


async def test_start_when_no_pair_then_1002(world: World) -> None:
    group_id = await world.group()
    assert await world.refused("POST", action(group_id), START) == "SDRS.1002"
    assert (await world.row(Group, group_id)).status == "available"


async def test_start_then_group_instances_and_pairs_are_starting(world: World) -> None:
    group_id = await world.group()
    await world.instance(group_id)
    job = await world.job(await world.accepted("POST", action(group_id), START))
    assert (job.job_type, job.params, job.entities) == (
        "startProtectionGroupNoCG", {"epoch": 1}, {"server_group_id": group_id}
    )  # fmt: skip
    assert await statuses(world) == {"starting"}
    (part,) = await parts(world, job.id)
    (pair,) = await world.all(Pair)
    assert (part.job_type, part.resource_id) == ("startProtectionGroupRepNoCG", pair.id)
    assert part.entities == {"server_group_id": group_id, "replication_pair_id": pair.id}
    assert await world.refused("POST", action(group_id), START) == "SDRS.1002"


async def test_start_when_a_dr_server_runs_then_1342(world: World) -> None:
    group_id = await world.group()
    instance = await world.row(Instance, await world.instance(group_id))
    await world.update(Server, instance.target_server_id, status=ServerStatus.ACTIVE)
    assert await world.refused("POST", action(group_id), START) == "SDRS.1342"


@pytest.mark.parametrize("word", ["start-server-group", "reprotect-server-group"])
async def test_start_when_failed_over_then_it_reprotects(world: World, word: str) -> None:
    group_id, instance_id = await world.protected()
    await world.update(Group, group_id, status="failed-over", priority_station=Station.TARGET)
    assert await world.refused("POST", action(group_id), {word: {}}) == "SDRS.1342"
    instance = await world.row(Instance, instance_id)
    await world.update(Server, instance.source_server_id, status=ServerStatus.SHUTOFF)
    job = await world.job(await world.accepted("POST", action(group_id), {word: {}}))
    assert job.job_type == "reprotectProtectionGroupNoCG"
    assert await statuses(world) == {"reprotecting"}


async def test_reprotect_when_never_failed_over_then_1002(world: World) -> None:
    group_id = await world.group()
    await world.pair(group_id)
    assert await world.refused("POST", action(group_id), {"reprotect-server-group": {}}) == "SDRS.1002"


async def test_stop_then_the_epoch_is_passed(world: World) -> None:
    group_id, _ = await world.protected()
    await world.set_witness(group_id, epoch=4)
    job = await world.job(await world.accepted("POST", action(group_id), STOP))
    assert (job.job_type, job.params) == ("stopProtectionGroupNoCG", {"epoch": 4})
    assert await statuses(world) == {"stopping"}


@pytest.mark.parametrize(("copy", "code"), [(Copy.SYNCING, "SDRS.1830"), (Copy.STALE, "SDRS.1601")])
@pytest.mark.parametrize("body", [FAILOVER, TO_TARGET])
async def test_handover_when_the_copy_is_incomplete_then_refused_with_since_when(
    world: World, body: dict[str, object], copy: Copy, code: str
) -> None:
    group_id, _ = await world.protected()
    await world.set_witness(group_id, copy=copy, since=NOW)
    answer = await world.call("POST", action(group_id), body)
    assert answer.json()["error"]["code"] == code
    assert "2023-11-14T22:13:20Z" in answer.json()["error"]["message"]
    assert await statuses(world) == {"protected"}


async def test_failover_when_in_sync_then_admitted_with_parts_for_pairs_and_instances(world: World) -> None:
    group_id, _ = await world.protected()
    job = await world.job(await world.accepted("POST", action(group_id), FAILOVER))
    assert (job.job_type, job.params) == ("failoverProtectionGroupNoCG", {"from_station": "source", "epoch": 1})
    assert await statuses(world) == {"failing-over"}
    assert {(part.job_type, part.resource_type) for part in await parts(world, job.id)} == {
        ("failoverProtectionGroupRepNoCG", "replications"),
        ("failoverProtectedInstanceNoCG", "protected_instances"),
    }


async def test_failover_when_not_protected_then_1002(world: World) -> None:
    group_id = await world.group()
    await world.pair(group_id)
    assert await world.refused("POST", action(group_id), FAILOVER) == "SDRS.1002"


async def test_failover_when_a_creation_failed_in_the_group_then_that_part_stays_out(world: World) -> None:
    group_id, _ = await world.protected()
    broken = await world.pair(group_id)
    await world.update(Pair, broken, status="error")
    job_id = await world.accepted("POST", action(group_id), FAILOVER)
    assert (await world.row(Pair, broken)).status == "error"
    assert broken not in {part.resource_id for part in await parts(world, job_id)}


async def test_failover_when_a_part_is_busy_then_1002(world: World) -> None:
    group_id, _ = await world.protected()
    await world.update(Pair, await world.pair(group_id), status="attaching")
    assert await world.refused("POST", action(group_id), FAILOVER) == "SDRS.1002"


async def test_failover_when_a_server_was_deleted_natively_then_1314(world: World) -> None:
    group_id, instance_id = await world.protected()
    await world.update(Instance, instance_id, status="invalid")
    assert await world.refused("POST", action(group_id), FAILOVER) == "SDRS.1314"
    await world.update(Instance, instance_id, status="protected", target_server_id="gone")
    assert await world.refused("POST", action(group_id), FAILOVER) == "SDRS.1314"


async def test_failover_when_it_failed_before_the_pivot_then_the_copy_counts_again(world: World) -> None:
    group_id, _ = await world.protected()
    await world.settle_failed(await world.accepted("POST", action(group_id), FAILOVER))
    assert await statuses(world) == {"error-failing-over"}
    await world.set_witness(group_id, copy=Copy.STALE)
    assert await world.refused("POST", action(group_id), FAILOVER) == "SDRS.1601"
    await world.set_witness(group_id, copy=Copy.IN_SYNC)
    job = await world.job(await world.accepted("POST", action(group_id), FAILOVER))
    assert job.params == {"from_station": "source", "epoch": 1}


async def test_failover_when_it_failed_after_the_pivot_then_it_goes_on_forward(world: World) -> None:
    group_id, _ = await world.protected()
    await world.settle_failed(await world.accepted("POST", action(group_id), FAILOVER))
    await world.set_witness(group_id, copy=Copy.STALE, epoch=2, owner=Station.TARGET)
    await world.set_station(group_id, Station.TARGET)
    for _ in range(2):
        job = await world.job(await world.accepted("POST", action(group_id), FAILOVER))
        assert job.params == {"from_station": "source", "epoch": 1}
        await world.settle_failed(job.id)


async def stop_production(world: World, instance_id: str) -> None:
    instance = await world.row(Instance, instance_id)
    await world.update(Server, instance.source_server_id, status=ServerStatus.SHUTOFF)


@pytest.mark.parametrize("word", ["source", "both", "", None, 1])
async def test_reverse_when_the_direction_is_wrong_then_0216(world: World, word: object) -> None:
    group_id, instance_id = await world.protected()
    await stop_production(world, instance_id)
    body = {"reverse-server-group": {"priority_station": word}}
    assert await world.refused("POST", action(group_id), body) == "SDRS.0216"
    assert await world.refused("POST", action(group_id), {"reverse-server-group": {}}) == "SDRS.0216"


async def test_reverse_when_a_production_server_runs_then_1352(world: World) -> None:
    group_id, instance_id = await world.protected()
    assert await world.refused("POST", action(group_id), TO_TARGET) == "SDRS.1352"
    await stop_production(world, instance_id)
    job = await world.job(await world.accepted("POST", action(group_id), TO_TARGET))
    assert (job.job_type, job.params) == ("reverseProtectionGroupNoCG", {"from_station": "source", "epoch": 1})
    assert await statuses(world) == {"reversing"}


async def test_reverse_when_it_failed_after_the_pivot_then_the_same_direction_goes_on(world: World) -> None:
    group_id, instance_id = await world.protected()
    await stop_production(world, instance_id)
    await world.settle_failed(await world.accepted("POST", action(group_id), TO_TARGET))
    await world.set_witness(group_id, copy=Copy.STALE, epoch=2, owner=Station.TARGET)
    await world.set_station(group_id, Station.TARGET)
    assert await world.refused("POST", action(group_id), TO_SOURCE) == "SDRS.0216"
    job = await world.job(await world.accepted("POST", action(group_id), TO_TARGET))
    assert job.params == {"from_station": "source", "epoch": 1}


async def test_failover_when_a_reverse_failed_after_the_pivot_then_it_continues_that(world: World) -> None:
    group_id, instance_id = await world.protected()
    await stop_production(world, instance_id)
    await world.settle_failed(await world.accepted("POST", action(group_id), TO_TARGET))
    await world.set_witness(group_id, epoch=2)
    job = await world.job(await world.accepted("POST", action(group_id), FAILOVER))
    assert job.params == {"from_station": "source", "epoch": 1}


async def test_job_when_it_has_parts_then_sub_jobs_with_strings_only(world: World) -> None:
    group_id, _ = await world.protected()
    job_id = await world.accepted("POST", action(group_id), STOP)
    body = (await world.call("GET", f"/jobs/{job_id}")).json()
    assert (body["status"], body["end_time"], body["error_code"], body["fail_reason"]) == ("INIT", None, None, None)
    assert body["begin_time"].endswith("Z")
    assert body["entities"]["server_group_id"] == group_id
    (sub,) = body["entities"]["sub_jobs"]
    assert sub["job_type"] == "stopProtectionGroupRepNoCG"
    assert all(isinstance(value, str) for value in sub["entities"].values())
    await world.settle_failed(job_id)
    body = (await world.call("GET", f"/jobs/{job_id}")).json()
    assert (body["status"], body["error_code"], body["fail_reason"]) == ("FAIL", "SDRS.1028", "the link is down")


async def test_job_when_unknown_malformed_or_anothers_then_404_with_0408(world: World) -> None:
    group_id = await world.group()
    (job,) = await world.all(Job)
    for path, token in (("/jobs/" + "f" * 32, "owner"), ("/jobs/x", "owner"), (f"/jobs/{job.id}", "stranger")):
        answer = await world.call("GET", path, token=token)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "SDRS.0408")
    assert group_id == job.resource_id


async def test_progress_of_a_group_then_the_least_of_its_pairs(world: World) -> None:
    group_id, _ = await world.protected()
    (pair,) = await world.all(Pair)
    await world.update(Pair, pair.id, progress=100)
    other = await world.pair(group_id)
    await world.update(Pair, other, progress=40)

    async def shown() -> dict[str, int]:
        body: dict[str, int] = (await world.call("GET", f"/server-groups/{group_id}")).json()["server_group"]
        return body

    group = await shown()
    assert (group["progress"], group["replication_num"], group["protected_instance_num"]) == (40, 2, 1)
    await world.update(Group, group_id, status="available")
    assert (await shown())["progress"] == 0
