"""Requests at the same moment: one wins, the others are refused, nothing is half done."""

import asyncio

from opensdrs.domain.model import Group, Instance, Job, Pair
from tests.contract.sdrs.world import World


async def test_create_instance_when_asked_ten_times_at_once_then_one_is_made(world: World) -> None:
    group_id, server_id = await world.group(), await world.server()
    wanted = {"protected_instance": {"server_group_id": group_id, "server_id": server_id, "name": "i"}}
    answers = await asyncio.gather(*(world.call("POST", "/protected-instances", wanted) for _ in range(10)))
    codes = sorted(answer.json().get("error_code", "") for answer in answers)
    assert codes == ["", *["SDRS.1305"] * 9]
    assert (len(await world.all(Instance)), len(await world.all(Pair))) == (1, 1)


async def test_create_pair_when_asked_in_two_groups_at_once_then_one_is_made(world: World) -> None:
    volume_id = await world.volume()
    bodies = [
        {"replication": {"server_group_id": await world.group(name=name), "volume_id": volume_id, "name": "p"}}
        for name in ("a", "b")
    ]
    answers = await asyncio.gather(*(world.call("POST", "/replications", body) for body in bodies))
    assert sorted(answer.json().get("error_code", "") for answer in answers) == ["", "SDRS.1811"]


async def test_operations_when_asked_at_once_then_one_is_admitted(world: World) -> None:
    group_id, _ = await world.protected()
    actions = ("stop-server-group", "failover-server-group") * 4
    answers = await asyncio.gather(
        *(world.call("POST", f"/server-groups/{group_id}/action", {word: {}}) for word in actions)
    )
    assert sorted(answer.json().get("error_code", "") for answer in answers) == ["", *["SDRS.1002"] * 7]
    status = (await world.row(Group, group_id)).status
    assert {pair.status for pair in await world.all(Pair)} == {status}
    assert len([job for job in await world.all(Job) if job.parent_id is None and job.end_time is None]) == 1
