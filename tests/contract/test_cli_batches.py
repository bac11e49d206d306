"""The `sdrs` command: batches, tags, quotas, RPO statistics."""

from opensdrs.domain.ids import GroupId, new_id
from opensdrs.domain.model import SyncGap
from opensdrs.store import rows
from tests.contract.test_cli import Shell, sdrs
from tests.crash.world import AZ1, PROJECT

__all__ = ["sdrs"]


async def test_batch_when_created_tagged_and_deleted_then_it_is_done(sdrs: Shell) -> None:
    await sdrs.lab.make_server("app-2")
    assert (await sdrs("group", "create", "g", "--vpc", "vpc-1")).status == 0
    made = await sdrs(
        "instance", "create-batch", "i", "--group", "g", "--server", "app-1", "--server", "app-2",
        "--tag", "env=prod", "--json",
    )  # fmt: skip
    assert made.json["status"] == "SUCCESS"
    assert {row["name"] for row in (await sdrs("instance", "list", "--json")).json} == {"i-0001", "i-0002"}
    assert (await sdrs("tag", "add", "i-0001", "tier=web", "empty")).status == 0
    tags = (await sdrs("tag", "list", "i-0001", "--json")).json
    assert {row["key"]: row["value"] for row in tags} == {"env": "prod", "tier": "web", "empty": ""}
    assert "prod" in (await sdrs("tag", "list")).out
    for arguments, names in (
        (("--tag", "env"), {"i-0001", "i-0002"}),
        (("--tag", "env=prod", "--tag", "tier=*E"), {"i-0001"}),
        (("--any", "tier=db", "--any", "tier=web"), {"i-0001"}),
        (("--not", "tier"), {"i-0002"}),
        (("--not-any", "env"), set()),
        (("--name", "0002"), {"i-0002"}),
    ):
        found = await sdrs("tag", "find", *arguments, "--json")
        assert {row["name"] for row in found.json} == names, arguments
    assert (await sdrs("tag", "delete", "i-0001", "tier", "env=other")).status == 0
    tags = (await sdrs("tag", "list", "i-0001", "--json")).json
    assert {row["key"] for row in tags} == {"env", "empty"}
    gone = await sdrs("instance", "delete-batch", "i-0001", "i-0002", "--delete-server", "--yes", "--json")
    assert gone.json["status"] == "SUCCESS"
    assert (await sdrs("instance", "list", "--json")).json == []
    assert [row["availability_zone"] for row in (await sdrs("server", "list", "--json")).json] == [AZ1, AZ1]


async def test_quota_when_set_without_the_role_then_told_and_rpo_is_listed(sdrs: Shell) -> None:
    refused = await sdrs("quota", "set", "replications", "-1")
    assert (refused.status, "infra:administer" in refused.err) == (1, True)
    gap = SyncGap(
        id=new_id(), project_id=PROJECT, group_id=GroupId("g"), instance_count=1, pair_count=2, since=60.0, until=110.0
    )
    async with sdrs.lab.database.write() as connection:
        await rows.insert(connection, gap)
    span = ("--start", "1970-01-01 00:00:00", "--end", "1970-01-01 01:00:00")
    (point,) = (await sdrs("rpo", *span, "--json")).json
    assert (point["point_time"], point["resource_num"]) == ("1970-01-01 00:01", 2)
    (point,) = (await sdrs("rpo", *span, "--type", "server_group", "--json")).json
    assert point["resource_num"] == 1
