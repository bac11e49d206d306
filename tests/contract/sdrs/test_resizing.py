"""Changing the flavors of a protected instance."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.infrastructure import DedicatedHost, Server, ServerStatus
from opensdrs.domain.model import Group, Instance, PairAttachment
from opensdrs.domain.statuses import Station
from opensdrs.store import rows
from tests.contract.sdrs.world import AZ1, AZ2, PROJECT, World


def path(instance_id: str) -> str:
    return f"/protected-instances/{instance_id}/resize"


async def stopped(world: World, **values: Any) -> str:
    """Make an instance whose servers are both stopped."""
    return await world.instance(await world.group(), await world.server(status=ServerStatus.SHUTOFF, **values))


async def both(world: World, instance_id: str) -> tuple[str, str]:
    instance = await world.row(Instance, instance_id)
    return instance.source_server_id, instance.target_server_id


async def refusal(world: World, instance_id: str, **wanted: Any) -> str:
    return await world.refused("POST", path(instance_id), {"resize": wanted})


async def host(world: World, site: str) -> str:
    host_id = new_id()
    await world.insert(DedicatedHost(id=host_id, project_id=PROJECT, name="h", site=site, created_at=0.0))
    return host_id


async def test_resize_then_both_servers_are_named_with_what_they_were(world: World) -> None:
    instance_id = await stopped(world)
    source, target = await both(world, instance_id)
    job = await world.job(await world.accepted("POST", path(instance_id), {"resize": {"flavorRef": "large"}}))
    assert (job.job_type, job.entities) == ("resizeProtectedInstanceNew", {"protected_instance_id": instance_id})
    large = {"flavor_id": "large", "dedicated_host_id": None}
    assert job.params["wanted"] == {source: large, target: large}
    assert job.params["before"] == {source: {**large, "flavor_id": "small"}, target: {**large, "flavor_id": "small"}}
    assert (await world.row(Instance, instance_id)).status == "resizing"
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1328"


@pytest.mark.parametrize(("key", "index"), [("production_flavorRef", 0), ("dr_flavorRef", 1)])
async def test_resize_when_one_side_is_named_then_only_that_one(world: World, key: str, index: int) -> None:
    instance_id = await stopped(world)
    servers = await both(world, instance_id)
    await world.update(Server, servers[1 - index], status=ServerStatus.ACTIVE)  # need not be stopped
    job = await world.job(await world.accepted("POST", path(instance_id), {"resize": {key: "large"}}))
    assert set(job.params["wanted"]) == {servers[index]}


async def test_resize_when_the_target_is_in_production_then_production_is_its_server(world: World) -> None:
    instance_id = await stopped(world)
    (group,) = await world.all(Group)
    await world.set_station(group.id, Station.TARGET)
    job = await world.job(
        await world.accepted("POST", path(instance_id), {"resize": {"production_flavorRef": "large"}})
    )
    assert set(job.params["wanted"]) == {(await both(world, instance_id))[1]}


async def test_resize_when_it_failed_then_again(world: World) -> None:
    instance_id = await stopped(world)
    await world.settle_failed(await world.accepted("POST", path(instance_id), {"resize": {"flavorRef": "large"}}))
    assert (await world.row(Instance, instance_id)).status == "error-resizing"
    await world.accepted("POST", path(instance_id), {"resize": {"flavorRef": "large"}})


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "SDRS.0201"),
        ({"production_dedicated_host_id": "0" * 32}, "SDRS.0201"),
        ({"flavorRef": 1}, "SDRS.1353"),
        ({"production_flavorRef": 1}, "SDRS.1356"),
        ({"dr_flavorRef": []}, "SDRS.1353"),
        ({"flavorRef": "huge"}, "SDRS.1356"),
        ({"production_flavorRef": "huge"}, "SDRS.1356"),
        ({"dr_flavorRef": "huge"}, "SDRS.1353"),
        ({"flavorRef": "small"}, "SDRS.1341"),
        ({"production_flavorRef": "small"}, "SDRS.1378"),
        ({"dr_flavorRef": "small"}, "SDRS.1379"),
        ({"flavorRef": "large", "production_dedicated_host_id": "x"}, "SDRS.0227"),
        ({"flavorRef": "large", "dr_dedicated_host_id": "x"}, "SDRS.0227"),
        ({"flavorRef": "large", "production_dedicated_host_id": "0" * 32}, "SDRS.1368"),
        ({"flavorRef": "large", "dr_dedicated_host_id": "0" * 32}, "SDRS.1367"),
    ],
)
async def test_resize_when_a_field_is_wrong_then_its_code(world: World, wanted: dict[str, Any], code: str) -> None:
    assert await refusal(world, await stopped(world), **wanted) == code


async def test_resize_when_it_cannot_then_its_code(world: World) -> None:
    instance_id = await stopped(world)
    source, target = await both(world, instance_id)
    body = {"resize": {"flavorRef": "large"}}
    assert await world.refused("POST", path(instance_id), {}) == "SDRS.0201"
    assert await world.refused("POST", path("x"), body) == "SDRS.0208"
    assert await world.refused("POST", path(new_id()), body) == "SDRS.1320"
    assert await world.refused("POST", path(instance_id), body, token="stranger") == "SDRS.1320"
    assert await world.refused("POST", path(instance_id), body, token="reader") == "SDRS.0005"
    await world.update(Server, source, status=ServerStatus.ACTIVE)
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1352"
    await world.update(Server, source, status=ServerStatus.SHUTOFF, attributes={"billing": "prePaid"})
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1376"
    await world.update(Server, source, attributes={})
    await world.update(Server, target, status=ServerStatus.ACTIVE)
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1342"
    async with world.database.write() as connection:
        await rows.delete_where(connection, PairAttachment)
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1377"


async def test_resize_when_the_servers_are_on_dedicated_hosts_then_hosts_are_needed(world: World) -> None:
    near, far = await host(world, AZ1), await host(world, AZ2)
    instance_id = await stopped(world)
    source, target = await both(world, instance_id)
    await world.update(Server, source, dedicated_host_id=near)
    await world.update(Server, target, dedicated_host_id=far)
    assert await refusal(world, instance_id, production_flavorRef="large") == "SDRS.1370"
    assert await refusal(world, instance_id, dr_flavorRef="large") == "SDRS.1369"
    given: dict[str, Any] = {"flavorRef": "large", "production_dedicated_host_id": near}
    assert await refusal(world, instance_id, **given, dr_dedicated_host_id=new_id()) == "SDRS.1372"
    assert await refusal(world, instance_id, **given, dr_dedicated_host_id=near) == "SDRS.1373"
    other = await host(world, AZ2)
    wanted = {**given, "dr_dedicated_host_id": other}
    job = await world.job(await world.accepted("POST", path(instance_id), {"resize": wanted}))
    assert job.params["wanted"][target] == {"flavor_id": "large", "dedicated_host_id": other}
    assert job.params["before"][target] == {"flavor_id": "small", "dedicated_host_id": far}


@pytest.mark.parametrize("status", ["failed-over", "starting", "error-reversing"])
async def test_resize_when_the_group_is_in_another_status_then_1002(world: World, status: str) -> None:
    instance_id = await stopped(world)
    (group,) = await world.all(Group)
    await world.update(Group, group.id, status=status)
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1002"


@pytest.mark.parametrize("status", ["failed-over", "fault", "invalid", "nic-creating"])
async def test_resize_when_the_instance_is_in_another_status_then_1328(world: World, status: str) -> None:
    instance_id = await stopped(world)
    await world.update(Instance, instance_id, status=status)
    assert await refusal(world, instance_id, flavorRef="large") == "SDRS.1328"
