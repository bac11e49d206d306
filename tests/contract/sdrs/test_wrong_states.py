"""Every operation in every status that forbids it: its code, and nothing changed. Made from the status tables."""

from collections.abc import Collection
from typing import Any

import pytest

from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.domain.model import Drill, Group, Instance, Pair
from opensdrs.domain.operations import BY_JOB_TYPE, GROUP_STATUSES_FOR, JobType
from opensdrs.domain.statuses import DrillStatus, GroupStatus, InstanceStatus, PairStatus
from tests.contract.sdrs.dump import dump
from tests.contract.sdrs.scene import Scene, build
from tests.contract.sdrs.world import World

GROUP_ACTIONS = {
    "start": JobType.START_GROUP,
    "stop": JobType.STOP_GROUP,
    "reprotect": JobType.REPROTECT_GROUP,
    "failover": JobType.FAILOVER_GROUP,
    "reverse": JobType.REVERSE_GROUP,
}
# Which group an operation on a part looks at is in the scene: all but drills are in the available one.
ON_PARTS = {
    "create_instance": JobType.CREATE_INSTANCE,
    "create_instances": JobType.CREATE_INSTANCE,
    "delete_instance": JobType.DELETE_INSTANCE,
    "delete_instances": JobType.DELETE_INSTANCE,
    "create_pair": JobType.CREATE_PAIR,
    "delete_pair": JobType.DELETE_PAIR,
    "extend_pair": JobType.EXTEND_PAIR,
    "attach_pair": JobType.ATTACH_PAIR,
    "add_nic": JobType.ADD_NIC,
    "delete_nic": JobType.DELETE_NIC,
    "resize_instance": JobType.RESIZE_INSTANCE,
    "create_drill": JobType.CREATE_DRILL,
    "delete_drill": JobType.DELETE_DRILL,
}
OF_DRILLS = {"create_drill", "delete_drill"}


@pytest.fixture
async def scene(world: World) -> Scene:
    return await build(world)


async def wrong(
    scene: Scene, operation: str, body: Any, kind: type[Any], row_id: str, statuses: Collection[str], codes: set[str]
) -> list[str]:
    """Set each status, ask for the operation, and return what was not refused as it should be."""
    route, found = scene.route(operation), []
    kept = (await scene.world.row(kind, row_id)).status
    for status in sorted(statuses):
        await scene.world.update(kind, row_id, status=status)
        before = await dump(scene.world.database)
        answer = await scene.world.call(route.method, scene.path(route), body)
        code = answer.json().get("error_code") if answer.status_code == 400 else str(answer.status_code)
        if code not in codes or await dump(scene.world.database) != before:
            found.append(f"{operation} of {kind.__name__} {status}: {code}, not {codes}")
    await scene.world.update(kind, row_id, status=kept)
    return found


def sample(scene: Scene, operation: str) -> Any:
    return scene.samples[operation].body() if operation in scene.samples else None


async def test_group_when_its_status_forbids_an_operation_on_it_then_1002(scene: Scene) -> None:
    found, group = [], scene.ids["server_group_id"]
    for action, job_type in GROUP_ACTIONS.items():
        allowed = set(BY_JOB_TYPE[job_type].allowed)
        if action == "start":
            allowed |= BY_JOB_TYPE[JobType.REPROTECT_GROUP].allowed
        body = {f"{action}-server-group": {"priority_station": "target"}}
        statuses = set(GroupStatus) - allowed
        found += await wrong(scene, "operate_group", body, Group, group, statuses, {"SDRS.1002"})
    assert found == []


@pytest.mark.parametrize("operation", list(ON_PARTS))
async def test_group_when_its_status_forbids_an_operation_on_a_part_then_1002(scene: Scene, operation: str) -> None:
    group = scene.ids["protected" if operation in OF_DRILLS else "server_group_id"]
    statuses = set(GroupStatus) - GROUP_STATUSES_FOR[ON_PARTS[operation]]
    body = sample(scene, operation)
    assert await wrong(scene, operation, body, Group, group, statuses, {"SDRS.1002"}) == []


async def test_group_when_its_status_forbids_its_deletion_then_1002(world: World) -> None:
    scene = await build(world)
    empty = await world.group(name="empty")
    statuses = set(GroupStatus) - BY_JOB_TYPE[JobType.DELETE_GROUP].allowed
    at_empty = Scene(world=world, ids={**scene.ids, "server_group_id": empty}, samples=scene.samples)
    assert await wrong(at_empty, "delete_group", None, Group, empty, statuses, {"SDRS.1002"}) == []


@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("delete_instance", {"SDRS.1301"}),
        ("delete_instances", {"SDRS.1301"}),
        ("attach_pair", {"SDRS.1328", "SDRS.1314"}),
        ("add_nic", {"SDRS.1327", "SDRS.1314"}),
        ("delete_nic", {"SDRS.1327", "SDRS.1314"}),
        ("resize_instance", {"SDRS.1328", "SDRS.1314"}),
    ],
)
async def test_instance_when_its_status_forbids_it_then_its_code(scene: Scene, operation: str, codes: set[str]) -> None:
    for server in await scene.world.all(Server):
        await scene.world.update(Server, server.id, status=ServerStatus.SHUTOFF)
    job_type = ON_PARTS[operation]
    allowed = BY_JOB_TYPE[job_type].allowed if operation != "attach_pair" else {"available", "protected"}
    statuses = set(InstanceStatus) - set(allowed)
    instance = scene.ids["protected_instance_id"]
    assert await wrong(scene, operation, sample(scene, operation), Instance, instance, statuses, codes) == []


@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("delete_pair", {"SDRS.1601"}),
        ("attach_pair", {"SDRS.1601", "SDRS.1606"}),
        ("extend_pair", {"SDRS.1601", "SDRS.1606"}),
    ],
)
async def test_pair_when_its_status_forbids_it_then_its_code(scene: Scene, operation: str, codes: set[str]) -> None:
    statuses = set(PairStatus) - BY_JOB_TYPE[ON_PARTS[operation]].allowed
    pair = scene.ids["replication_id"]
    assert await wrong(scene, operation, sample(scene, operation), Pair, pair, statuses, codes) == []


async def test_drill_when_its_status_forbids_its_deletion_then_1913(scene: Scene) -> None:
    statuses = set(DrillStatus) - BY_JOB_TYPE[JobType.DELETE_DRILL].allowed
    drill = scene.ids["disaster_recovery_drill_id"]
    assert await wrong(scene, "delete_drill", None, Drill, drill, statuses, {"SDRS.1913"}) == []
