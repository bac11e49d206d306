"""Protection groups: create, show, list, rename, delete."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.model import ActiveDomain, Drill, Group, Job, Quota
from opensdrs.domain.statuses import DrillStatus, JobStatus, Station
from opensdrs.domain.witness import Copy
from opensdrs.store import witness
from tests.contract.sdrs.world import DOMAIN, NOW, OTHER_PROJECT, PROJECT, World


async def test_create_group_when_complete_then_row_witness_and_job_are_there(world: World) -> None:
    job_id = await world.accepted("POST", "/server-groups", world.group_body(description="d"))
    (group,) = await world.all(Group)
    assert (group.status, group.priority_station, group.target_vpc_id) == ("creating", Station.SOURCE, world.vpc_id)
    async with world.database.read() as connection:
        register = await witness.read(connection, group.id)
    assert (register.epoch, register.copy) == (1, Copy.STALE)
    job = await world.job(job_id)
    assert (job.job_type, job.status, job.group_id) == ("createProtectionGroupNoCG", JobStatus.INIT, None)
    assert (job.entities, job.params, job.enqueued) == ({"server_group_id": group.id}, {}, False)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": None}, "SDRS.0202"),
        ({"name": ""}, "SDRS.0202"),
        ({"name": "a" * 65}, "SDRS.0202"),
        ({"name": "a b"}, "SDRS.0202"),
        ({"name": "a\n"}, "SDRS.0202"),
        ({"name": 7}, "SDRS.0202"),
        ({"description": "ü" * 33}, "SDRS.0212"),
        ({"description": "<b>"}, "SDRS.0212"),
        ({"description": 1}, "SDRS.0212"),
        ({"description": "a\u0000"}, "SDRS.0201"),
        ({"source_availability_zone": "az3"}, "SDRS.0203"),
        ({"target_availability_zone": "az1"}, "SDRS.0203"),
        ({"source_availability_zone": None}, "SDRS.0203"),
        ({"domain_id": "nowhere"}, "SDRS.0205"),
        ({"source_vpc_id": "nowhere"}, "SDRS.0204"),
        ({"source_vpc_id": []}, "SDRS.0204"),
        ({"dr_type": "metro"}, "SDRS.0201"),
    ],
)
async def test_create_group_when_a_field_is_wrong_then_its_code(
    world: World, values: dict[str, Any], code: str
) -> None:
    assert await world.refused("POST", "/server-groups", world.group_body(**values)) == code
    assert await world.all(Group) == []
    assert await world.all(Job) == []


@pytest.mark.parametrize(
    ("field", "code"), [("name", "SDRS.0202"), ("domain_id", "SDRS.0205"), ("source_vpc_id", "SDRS.0204")]
)
async def test_create_group_when_a_field_is_missing_then_its_code(world: World, field: str, code: str) -> None:
    body = world.group_body()
    del body["server_group"][field]
    assert await world.refused("POST", "/server-groups", body) == code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"server_group": []}',
        b'{"server_group": {"name": NaN}}',
        b'{"server_group": {}, "server_group": {}}',
        b'{"server_group": {"name": "a", "name": "b"}}',
        b'{"server_group":' * 40 + b"1" + b"}" * 40,
        b"[" * 100_000,
        b'{"server_group": {"description": "\\ud800"}}',
        b"\xff\xfe",
    ],
)
async def test_create_group_when_the_body_is_malformed_then_0201(world: World, body: bytes) -> None:
    assert await world.refused("POST", "/server-groups", body) == "SDRS.0201"


async def test_create_group_when_an_unknown_field_is_given_then_it_is_ignored(world: World) -> None:
    await world.accepted("POST", "/server-groups", world.group_body(colour="blue"))


async def test_create_group_when_the_quota_is_used_up_then_0305(world: World) -> None:
    await world.insert(Quota(id=new_id(), project_id=PROJECT, type="server_groups", quota=1))
    await world.group()
    assert await world.refused("POST", "/server-groups", world.group_body()) == "SDRS.0305"


async def test_create_group_when_the_domain_is_sold_out_then_0233(world: World) -> None:
    await world.update(ActiveDomain, DOMAIN, sold_out=True)
    assert await world.refused("POST", "/server-groups", world.group_body()) == "SDRS.0233"


async def test_show_group_then_exactly_the_documented_fields(world: World) -> None:
    group_id = await world.group()
    body = (await world.call("GET", f"/server-groups/{group_id}")).json()
    assert body == {
        "server_group": {
            "id": group_id,
            "name": "g",
            "description": None,
            "source_availability_zone": "az1",
            "target_availability_zone": "az2",
            "domain_id": DOMAIN,
            "domain_name": "domain",
            "status": "available",
            "protected_status": None,
            "replication_status": None,
            "health_status": None,
            "progress": 0,
            "priority_station": "source",
            "protected_instance_num": 0,
            "replication_num": 0,
            "disaster_recovery_drill_num": 0,
            "source_vpc_id": world.vpc_id,
            "target_vpc_id": world.vpc_id,
            "test_vpc_id": None,
            "dr_type": "migration",
            "server_type": "ECS",
            "created_at": "2023-11-14 22:13:20.000",
            "updated_at": "2023-11-14 22:13:20.000",
            "protection_type": "replication-pair",
            "replication_model": None,
        }
    }


@pytest.mark.parametrize("verb", ["GET", "DELETE", "PUT"])
async def test_group_when_malformed_unknown_or_anothers_then_invalid_or_not_found(world: World, verb: str) -> None:
    body = {"server_group": {"name": "n"}}
    group_id = await world.group()
    assert await world.refused(verb, "/server-groups/nonsense", body) == "SDRS.0207"
    assert await world.refused(verb, f"/server-groups/{new_id()}", body) == "SDRS.1013"
    assert await world.refused(verb, f"/server-groups/{group_id}", body, token="stranger") == "SDRS.1013"


async def test_rename_group_then_the_new_name_is_shown(world: World) -> None:
    group_id = await world.group()
    world.clock[0] += 60
    answer = await world.call("PUT", f"/server-groups/{group_id}", {"server_group": {"name": "new"}})
    shown = answer.json()["server_group"]
    assert (shown["name"], shown["updated_at"]) == ("new", "2023-11-14 22:14:20.000")
    assert await world.refused("PUT", f"/server-groups/{group_id}", {"server_group": {"name": "ü"}}) == "SDRS.0202"
    assert await world.refused("PUT", f"/server-groups/{group_id}", {"server_group": {}}) == "SDRS.0202"


async def test_list_groups_then_filters_pages_and_counts(world: World) -> None:
    ids = []
    for name, status in (("web-1", "available"), ("web_2", "error"), ("db", "protected")):
        world.clock[0] += 1
        ids.append(await world.group(status, name=name))
    await world.set_station(ids[2], Station.TARGET)

    async def listed(**query: Any) -> tuple[list[str], int]:
        body = (await world.call("GET", "/server-groups", **query)).json()
        return [ids.index(row["id"]) for row in body["server_groups"]], body["count"]

    assert await listed() == ([2, 1, 0], 3)
    assert await listed(limit=2) == ([2, 1], 3)
    assert await listed(limit=0) == ([2, 1, 0], 3)
    assert await listed(limit=2, offset=2) == ([0], 3)
    assert await listed(offset=99) == ([], 3)
    assert await listed(offset=10**18) == ([], 3)
    assert await listed(limit=2, marker=ids[1]) == ([0], 3)
    assert await listed(marker=ids[0]) == ([], 3)
    assert await listed(name="WEB") == ([1, 0], 2)
    assert await listed(name="web_") == ([1], 1)
    assert await listed(status="error") == ([1], 1)
    assert await listed(status="nonsense") == ([], 0)
    assert await listed(query_type="status_abnormal") == ([1], 1)
    assert await listed(query_type="stop_protected") == ([0], 1)
    assert await listed(query_type="general") == ([2, 1, 0], 3)
    assert await listed(availability_zone="az1") == ([1, 0], 2)
    assert await listed(availability_zone="az2") == ([2], 1)
    await world.update(Group, ids[0], last_drill_at=NOW - 10)
    assert await listed(query_type="period_no_dr_drill") == ([2, 1], 2)
    assert (await world.call("GET", "/server-groups", token="stranger")).json() == {"count": 0, "server_groups": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "-1"}, "SDRS.0221"),
        ({"limit": "1001"}, "SDRS.0221"),
        ({"limit": "x"}, "SDRS.0221"),
        ({"limit": "²"}, "SDRS.0221"),
        ({"offset": "-1"}, "SDRS.0222"),
        ({"offset": "1.5"}, "SDRS.0222"),
        ({"marker": "nonsense"}, "SDRS.0201"),
        ({"query_type": "everything"}, "SDRS.0201"),
        ({"name": "a\x00"}, "SDRS.0201"),
    ],
)
async def test_list_groups_when_the_query_is_wrong_then_its_code(
    world: World, query: dict[str, str], code: str
) -> None:
    assert await world.refused("GET", "/server-groups", **query) == code


async def test_delete_group_when_it_holds_something_then_the_first_reason_is_named(world: World) -> None:
    group_id = await world.group()
    path = f"/server-groups/{group_id}"
    drill = Drill(
        id=new_id(), project_id=PROJECT, group_id=group_id, name="d", status=DrillStatus.AVAILABLE,
        drill_vpc_id=world.vpc_id, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await world.insert(drill)
    assert await world.refused("DELETE", path) == "SDRS.1003"
    await world.pair(group_id)
    assert await world.refused("DELETE", path) == "SDRS.1010"
    await world.instance(group_id)
    assert await world.refused("DELETE", path) == "SDRS.1001"
    assert (await world.row(Group, group_id)).status == "available"


async def test_delete_group_when_empty_then_admitted_once(world: World) -> None:
    group_id = await world.group("error-starting")
    job = await world.job(await world.accepted("DELETE", f"/server-groups/{group_id}"))
    assert (job.job_type, job.params) == ("deleteProtectionGroupNoCG", {})
    assert (await world.row(Group, group_id)).status == "deleting"
    assert await world.refused("DELETE", f"/server-groups/{group_id}") == "SDRS.1002"


async def test_group_of_another_project_when_its_path_is_used_then_0001(world: World) -> None:
    assert await world.refused("GET", "/server-groups", project=OTHER_PROJECT) == "SDRS.0001"
