"""The task centre, quotas, domains and versions."""

from typing import Any

from opensdrs.domain.ids import new_id
from opensdrs.domain.model import Job, Quota
from tests.contract.sdrs.world import DOMAIN, PROJECT, World

PATH = "/task-center/failure-jobs"


async def listed(world: World, **query: Any) -> list[str]:
    answer = (await world.call("GET", PATH, **query)).json()
    assert answer["count"] == len(answer["failure_jobs"])
    return [row["job_id"] for row in answer["failure_jobs"]]


async def failures(world: World) -> tuple[str, str, str]:
    """Make a failed creation of a group, and of a pair in another one; return the group's id and both jobs."""
    failed = await world.accepted("POST", "/server-groups", world.group_body(name="broken"))
    await world.settle_failed(failed)
    group_id = await world.group()
    wanted = {"server_group_id": group_id, "volume_id": await world.volume(), "name": "p"}
    pair = await world.accepted("POST", "/replications", {"replication": wanted})
    await world.settle_failed(pair)
    return group_id, failed, pair


async def test_list_failures_then_groups_themselves_or_what_is_in_one(world: World) -> None:
    group_id, failed, pair = await failures(world)
    assert await listed(world) == [failed]
    assert await listed(world, server_group_id=group_id) == [pair]
    assert await listed(world, failure_status="createFail") == [failed]
    assert await listed(world, failure_status="stopFail") == []
    assert await listed(world, resource_name="BRO") == [failed]
    assert await listed(world, resource_type="replications") == []
    assert await listed(world, resource_type="replications", server_group_id=group_id) == [pair]
    assert (await world.call("GET", PATH, offset=1)).json() == {"count": 1, "failure_jobs": []}
    assert (await world.call("GET", PATH, token="stranger")).json() == {"count": 0, "failure_jobs": []}
    (shown,) = (await world.call("GET", PATH)).json()["failure_jobs"]
    job = await world.job(failed)
    assert shown.pop("begin_time").endswith("Z")
    assert shown == {
        "id": failed,
        "job_status": "FAIL",
        "resource_id": job.resource_id,
        "resource_name": "broken",
        "resource_type": "server_groups",
        "failure_status": "createFail",
        "job_id": failed,
        "job_type": "createProtectionGroupNoCG",
        "error_code": "SDRS.1014",
        "fail_reason": "the link is down",
    }


async def test_list_failures_when_filtered_by_a_word_that_does_not_exist_then_its_code(world: World) -> None:
    words = ("create", "delete", "attach", "detach", "expand", "resize", "start", "stop", "reverse", "failover",
             "reprotect")  # fmt: skip
    for word in words:
        assert await listed(world, failure_status=f"{word}Fail") == []
    assert await world.refused("GET", PATH, failure_status="failed") == "SDRS.0209"
    assert await world.refused("GET", PATH, resource_type="servers") == "SDRS.0201"
    assert await world.refused("GET", PATH, server_group_id="x") == "SDRS.0207"
    assert await world.refused("GET", PATH, limit=1001) == "SDRS.0221"
    assert await world.refused("GET", PATH, offset=-1) == "SDRS.0222"


async def test_dismiss_failure_then_hidden_but_the_job_stays(world: World) -> None:
    _, failed, _ = await failures(world)
    answer = await world.call("DELETE", f"{PATH}/{failed}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await listed(world) == []
    assert (await world.call("GET", f"/jobs/{failed}")).json()["status"] == "FAIL"
    for path, token in ((failed, "owner"), (new_id(), "owner"), ("x", "owner")):
        again = await world.call("DELETE", f"{PATH}/{path}", token=token)
        assert (again.status_code, again.json()["error_code"]) == (404, "SDRS.0408")


async def test_dismiss_failure_when_named_by_its_resource_then_hidden(world: World) -> None:
    _, failed, _ = await failures(world)
    resource_id = (await world.job(failed)).resource_id
    assert (await world.call("DELETE", f"{PATH}/{resource_id}", token="stranger")).status_code == 404
    assert (await world.call("DELETE", f"{PATH}/{resource_id}")).status_code == 204
    assert await listed(world) == []


async def test_dismiss_all_of_groups_then_those_in_groups_stay(world: World) -> None:
    group_id, _, pair = await failures(world)
    assert (await world.call("DELETE", f"{PATH}/batch", token="stranger")).status_code == 204
    assert (await world.call("DELETE", f"{PATH}/batch")).status_code == 204
    assert await listed(world) == []
    assert await listed(world, server_group_id=group_id) == [pair]


async def test_dismiss_all_in_a_group_then_those_of_groups_stay(world: World) -> None:
    group_id, failed, _ = await failures(world)
    path = "/task-center/{}/failure-jobs/batch"
    assert await world.refused("DELETE", path.format("x")) == "SDRS.0207"
    assert await world.refused("DELETE", path.format(new_id())) == "SDRS.1013"
    assert await world.refused("DELETE", path.format(group_id), token="stranger") == "SDRS.1013"
    assert (await world.call("DELETE", path.format(group_id))).status_code == 204
    assert await listed(world, server_group_id=group_id) == []
    assert await listed(world) == [failed]
    assert len([job for job in await world.all(Job) if job.dismissed]) == 1


async def test_quotas_then_use_and_limit_of_this_project(world: World) -> None:
    await world.insert(Quota(id=new_id(), project_id=PROJECT, type="replications", quota=-1))
    await world.pair(await world.group())
    assert (await world.call("GET", "/sdrs/quotas")).json() == {
        "quotas": {
            "resources": [
                {"type": "server_groups", "used": 1, "quota": 50, "min": 0, "max": -1},
                {"type": "replications", "used": 1, "quota": -1, "min": 0, "max": -1},
            ]
        }
    }
    theirs = (await world.call("GET", "/sdrs/quotas", token="stranger")).json()["quotas"]["resources"]
    assert [(row["used"], row["quota"]) for row in theirs] == [(0, 50), (0, 100)]


async def test_active_domains_then_both_sites(world: World) -> None:
    assert (await world.call("GET", "/active-domains")).json() == {
        "domains": [
            {
                "id": DOMAIN,
                "name": "domain",
                "description": "two sites",
                "sold_out": False,
                "local_replication_cluster": {"availability_zone": "az1"},
                "remote_replication_cluster": {"availability_zone": "az2"},
            }
        ]
    }
