"""Quotas that bind, and the limits of every group."""

import asyncio

import pytest

from opensdrs.cloud.quotas import QuotaRows
from opensdrs.domain.errors import Refused
from opensdrs.domain.ids import new_id
from opensdrs.domain.model import Group, Pair, PairAttachment, Quota
from opensdrs.services.quotas import Limits
from tests.contract.sdrs.world import PROJECT, World


async def test_create_group_when_the_quota_is_used_up_then_0305(world: World) -> None:
    await world.insert(Quota(id=new_id(), project_id=PROJECT, type="server_groups", quota=2))
    answers = await asyncio.gather(*(world.call("POST", "/server-groups", world.group_body()) for _ in range(5)))
    assert sorted(answer.json().get("error_code", "") for answer in answers) == ["", "", *["SDRS.0305"] * 3]
    assert len(await world.all(Group)) == 2


async def test_create_pair_when_the_quota_is_used_up_then_0306(world: World) -> None:
    quota = Quota(id=new_id(), project_id=PROJECT, type="replications", quota=1)
    await world.insert(quota)
    group_id = await world.group()
    await world.pair(group_id)
    wanted = {"server_group_id": group_id, "volume_id": await world.volume(), "name": "p"}
    assert await world.refused("POST", "/replications", {"replication": wanted}) == "SDRS.0306"
    await world.update(Quota, quota.id, quota=-1)
    await world.accepted("POST", "/replications", {"replication": wanted})


@pytest.mark.parametrize("limits", [Limits(instances_per_group=2)])
async def test_create_instance_when_the_group_is_full_then_1358(world: World, limits: Limits) -> None:
    group_id, other = await world.group(), await world.group(name="other")
    await world.instance(group_id)
    servers = [await world.server() for _ in range(2)]
    listed = [{"server_id": server} for server in servers]
    batch = {"protected_instances": {"name_prefix": "i", "server_group_id": group_id, "servers": listed}}
    assert await world.refused("POST", "/protected-instances/batch", batch) == "SDRS.1358"
    await world.instance(group_id, servers[0])
    single = {"server_group_id": group_id, "server_id": servers[1], "name": "i"}
    assert await world.refused("POST", "/protected-instances", {"protected_instance": single}) == "SDRS.1358"
    await world.instance(other, servers[1])


@pytest.mark.parametrize("limits", [Limits(unattached_pairs=1)])
async def test_create_pair_when_too_many_are_unattached_then_1826(world: World, limits: Limits) -> None:
    group_id = await world.group()
    instance_id = await world.instance(group_id)
    pair_id = await world.pair(group_id)
    wanted = {"server_group_id": group_id, "volume_id": await world.volume(), "name": "p"}
    assert await world.refused("POST", "/replications", {"replication": wanted}) == "SDRS.1826"
    await world.insert(PairAttachment(id=new_id(), pair_id=pair_id, instance_id=instance_id, device="/dev/vdx"))
    await world.accepted("POST", "/replications", {"replication": wanted})
    assert len(await world.all(Pair)) == 3


@pytest.mark.parametrize("limits", [Limits(groups=0, pairs=-1)])
async def test_quotas_when_there_is_no_row_then_the_defaults(world: World, limits: Limits) -> None:
    shown = (await world.call("GET", "/sdrs/quotas")).json()["quotas"]["resources"]
    assert [(row["type"], row["quota"]) for row in shown] == [("server_groups", 0), ("replications", -1)]
    assert await world.refused("POST", "/server-groups", world.group_body()) == "SDRS.0305"


async def test_quota_when_set_below_what_is_used_then_0303(world: World) -> None:
    quotas = QuotaRows(world.database)
    for _ in range(2):
        await world.group()
    with pytest.raises(Refused) as refusal:
        await quotas.set(PROJECT, "server_groups", 1)
    assert refusal.value.kind.code == "SDRS.0303"
    await quotas.set(PROJECT, "server_groups", 2)
    assert await world.refused("POST", "/server-groups", world.group_body()) == "SDRS.0305"
    await quotas.set(PROJECT, "server_groups", -1)
    await world.group()
    assert len(await world.all(Quota)) == 1
