"""A world with one of everything, and a request for every operation that would be accepted in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from opensdrs.api.routes import ROUTES, Route
from opensdrs.domain.infrastructure import Port
from opensdrs.domain.model import Drill, Instance
from opensdrs.services import requests as wanted
from tests.contract.sdrs.world import World


@dataclass(frozen=True, slots=True)
class Sample:
    """The body of an operation: `kind` describes what is below `wrapper` (None: the body itself)."""

    wrapper: str | None
    kind: type[msgspec.Struct] | None
    inner: Mapping[str, Any]

    def body(self, **changes: Any) -> dict[str, Any]:
        """Return the body; a field that is changed to `MISSING` is left out."""
        inner = {key: value for key, value in {**self.inner, **changes}.items() if value is not MISSING}
        return inner if self.wrapper is None else {self.wrapper: inner}


MISSING = object()
NO_BODY = Sample(None, None, {})


@dataclass(frozen=True, slots=True)
class Scene:
    """`ids` by the name that the paths and bodies have for them; `samples` by operation."""

    world: World
    ids: Mapping[str, str]
    samples: Mapping[str, Sample]

    def path(self, route: Route, **changes: str) -> str:
        """Return the path of a route with the scene's ids, or with others."""
        path = route.path
        for name, value in {**self.ids, "key": "k", **changes}.items():
            path = path.replace(f"{{{name}:str}}", value)
        return path

    def route(self, operation: str) -> Route:
        return next(route for route in ROUTES if route.operation == operation)


async def build(world: World) -> Scene:
    """Make an available group with an instance and a free pair, a protected one with a drill, and spare parts."""
    group, (protected, _) = await world.group(), await world.protected()
    instance, pair = await world.instance(group), await world.pair(group)
    await world.accepted(
        "POST", "/disaster-recovery-drills", {"disaster_recovery_drill": {"name": "d", "server_group_id": protected}}
    )
    (drill,) = await world.all(Drill)
    await world.update(Drill, drill.id, status="available")
    production = (await world.row(Instance, instance)).source_server_id
    nic = next(port for port in await world.all(Port) if port.server_id == production)
    ids = {
        "server_group_id": group, "protected_instance_id": instance, "replication_id": pair, "nic_id": nic.id,
        "disaster_recovery_drill_id": drill.id, "server_id": await world.server(), "volume_id": await world.volume(),
        "job_id": "0" * 32, "failure_job_id": "0" * 32, "protected": protected,
    }  # fmt: skip
    return Scene(world=world, ids=ids, samples=_samples(world, ids))


def _samples(world: World, ids: Mapping[str, str]) -> dict[str, Sample]:
    group, name = {"server_group_id": ids["server_group_id"]}, {"name": "n"}
    listed = [{"server_id": ids["server_id"]}]
    return {
        "create_group": Sample("server_group", wanted.NewGroup, world.group_body()["server_group"]),
        "rename_group": Sample("server_group", wanted.Named, name),
        "operate_group": Sample("reverse-server-group", wanted.Reversal, {"priority_station": "target"}),
        "create_instance": Sample(
            "protected_instance", wanted.NewInstance, {**group, **name, "server_id": ids["server_id"]}
        ),
        "create_instances": Sample(
            "protected_instances", wanted.NewInstances, {**group, "name_prefix": "n", "servers": listed}
        ),
        "delete_instances": Sample(
            None, wanted.InstancesDeletion, {"protected_instances": [{"id": ids["protected_instance_id"]}]}
        ),
        "rename_instance": Sample("protected_instance", wanted.Named, name),
        "delete_instance": Sample(None, wanted.InstanceDeletion, {}),
        "attach_pair": Sample(
            "replicationAttachment",
            wanted.PairAttach,
            {"replication_id": ids["replication_id"], "device": "/dev/vdb"},
        ),
        "add_nic": Sample(None, wanted.NewNic, {"subnet_id": world.subnet_id}),
        "delete_nic": Sample(None, wanted.NicDeletion, {"nic_id": ids["nic_id"]}),
        "resize_instance": Sample("resize", wanted.Resize, {"flavorRef": "large"}),
        "create_pair": Sample("replication", wanted.NewPair, {**group, **name, "volume_id": ids["volume_id"]}),
        "rename_pair": Sample("replication", wanted.Named, name),
        "delete_pair": Sample("replication", wanted.PairDeletion, {}),
        "extend_pair": Sample("extend-replication", wanted.Extension, {"new_size": 20}),
        "create_drill": Sample(
            "disaster_recovery_drill", wanted.NewDrill, {**name, "server_group_id": ids["protected"]}
        ),
        "rename_drill": Sample("disaster_recovery_drill", wanted.Named, name),
        "add_tag": Sample("tag", wanted.NewTag, {"key": "k", "value": "v"}),
        "change_tags": Sample(None, wanted.TagChange, {"action": "create", "tags": [{"key": "k", "value": "v"}]}),
        "query_by_tags": Sample(None, wanted.TagQuery, {"action": "filter"}),
    }  # fmt: skip
