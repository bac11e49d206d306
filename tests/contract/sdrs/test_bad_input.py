"""Wrong fields, bodies and ids, for every operation: the catalogue's code, no error of ours, and nothing changed.

The cases are made from the table of routes and from the structs of the bodies, so a new operation is covered by being
listed in `scene.py`; `test_samples_...` fails until it is.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from opensdrs.api.routes import ROUTES
from opensdrs.domain.errors import CATALOGUE
from opensdrs.domain.ids import new_id
from tests.contract.sdrs.dump import dump
from tests.contract.sdrs.scene import MISSING, Sample, Scene, build
from tests.contract.sdrs.world import World

# What a wrong type of a field is called; what is not here is SDRS.0201 (MATRIX A7).
CODES = {
    "name": "SDRS.0202", "name_prefix": "SDRS.0202", "description": "SDRS.0212", "domain_id": "SDRS.0205",
    "source_availability_zone": "SDRS.0203", "target_availability_zone": "SDRS.0203", "source_vpc_id": "SDRS.0204",
    "drill_vpc_id": "SDRS.0204", "server_group_id": "SDRS.0207", "server_id": "SDRS.0210", "volume_id": "SDRS.0211",
    "replication_id": "SDRS.0213", "priority_station": "SDRS.0216", "cluster_id": "SDRS.0218",
    "primary_ip_address": "SDRS.0219", "ip_address": "SDRS.0219", "primary_subnet_id": "SDRS.1335",
    "subnet_id": "SDRS.1335", "dedicated_host_id": "SDRS.0227", "production_dedicated_host_id": "SDRS.0227",
    "dr_dedicated_host_id": "SDRS.0227", "tenancy": "SDRS.0228", "flavorRef": "SDRS.1353",
    "production_flavorRef": "SDRS.1356", "dr_flavorRef": "SDRS.1353", "nic_id": "SDRS.0223",
    "replication_model": "SDRS.0224", "key": "SDRS.2204", "value": "SDRS.2207", "limit": "SDRS.2220",
    "offset": "SDRS.0222",
}  # fmt: skip
MISSING_CODES = {**CODES, "volume_id": "SDRS.1803", "key": "SDRS.2205", "value": "SDRS.2208"}
IDS = {
    "server_group_id": ("SDRS.0207", "SDRS.1013"),
    "protected_instance_id": ("SDRS.0208", "SDRS.1320"),
    "replication_id": ("SDRS.0213", "SDRS.1608"),
    "disaster_recovery_drill_id": ("SDRS.1900", "SDRS.1902"),
    "job_id": ("SDRS.0408", "SDRS.0408"),
    "failure_job_id": ("SDRS.0408", "SDRS.0408"),
}
# (field, value, code): one too long, a forbidden character, the wrong case.
VALUES = (
    *(("name", value, "SDRS.0202") for value in ("", " ", "n" * 65, "a b", "a/b", "ü", "\u202e")),
    *(("name_prefix", value, "SDRS.0202") for value in ("", "n" * 60, "a b")),
    *(("description", value, "SDRS.0212") for value in ("d" * 65, "ü" * 33, "a<b", "a>b")),
    *(("priority_station", value, "SDRS.0216") for value in ("", "TARGET", "both")),
    *(("tenancy", value, "SDRS.0228") for value in ("Shared", "own")),
    *(("device", value, "SDRS.0201") for value in ("", "/DEV/VDB", "/dev/vd1", "/dev/vdaa", "vdb")),
    *(("server_group_id", value, "SDRS.0207") for value in ("", "x", "0" * 31, "g" * 32, "0" * 37)),
    *(("server_id", value, "SDRS.0210") for value in ("", "x", "0" * 33)),
    *(("volume_id", value, "SDRS.0211") for value in ("", "x", "0" * 32)),
    *(("replication_id", value, "SDRS.0213") for value in ("", "x")),
    *(("nic_id", value, "SDRS.0223") for value in ("", "x")),
    *(("key", value, "SDRS.2204") for value in ("k" * 37, "a=b", "a*b")),
    *(("key", value, "SDRS.2205") for value in ("", " ")),
    *(("value", value, "SDRS.2207") for value in ("v" * 44, "a=b")),
    *(("dr_type", value, "SDRS.0201") for value in ("Migration", "x")),
    *(("replication_model", value, "SDRS.0224") for value in ("Hypermetro", "x")),
    *(("limit", value, "SDRS.2220") for value in (0, 1001, -1, "x", 10**30)),
    *(("offset", value, "SDRS.0222") for value in (-1, "x")),
    *(("domain_id", value, "SDRS.0205") for value in ("", "x")),
    *(("source_vpc_id", value, "SDRS.0204") for value in ("", "x")),
)  # fmt: skip


@pytest.fixture
async def scene(world: World) -> Scene:
    return await build(world)


class Probe:
    """Sends bad requests and remembers every answer that is not as it should be.

    After the requests of each operation everything that the control plane knows must be as before.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._wrong: list[str] = []
        self._operation = ""
        self._before: dict[str, Any] = {}

    async def send(
        self, operation: str, body: Any, expected: str | None, path: str | None = None, **options: Any
    ) -> None:
        if operation != self._operation:
            await self._compare()
            self._operation = operation
        route = self.scene.route(operation)
        path = path or self.scene.path(route)
        answer = await self.scene.world.call(route.method, path, body, **options)
        code = answer.json().get("error_code") if answer.status_code >= 400 else None
        if not (400 <= answer.status_code < 500 and code in CATALOGUE and expected in (None, code)):
            seen = f"{answer.status_code} {code} {answer.text:.200}"
            self._wrong.append(f"{operation} {path} {body!r:.300}: {seen}, not {expected}")

    async def _compare(self) -> None:
        now = await dump(self.scene.world.database)
        if self._operation and now != self._before:
            self._wrong.append(f"{self._operation} changed something")
        self._before = now

    async def wrong(self) -> list[str]:
        """Return what was not as it should be."""
        await self._compare()
        return self._wrong


def fields(scene: Scene) -> Iterator[tuple[str, Sample, msgspec.structs.FieldInfo]]:
    for operation, sample in scene.samples.items():
        assert sample.kind is not None
        for field in msgspec.structs.fields(sample.kind):
            yield operation, sample, field


def is_wrong(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return True
    return False


def test_samples_then_every_operation_with_a_body_has_one() -> None:
    bodies = {route.operation for route in ROUTES if route.method in ("POST", "PUT")}
    with_optional_body = {"delete_instance", "delete_pair"}
    assert set(_operations()) == bodies | with_optional_body


def _operations() -> list[str]:
    from tests.contract.sdrs.scene import _samples

    class Nothing:
        subnet_id = ""

        def group_body(self) -> dict[str, Any]:
            return {"server_group": {}}

    return list(_samples(Nothing(), dict.fromkeys(
        ("server_group_id", "server_id", "protected_instance_id", "replication_id", "nic_id", "volume_id",
         "protected"), "")))  # type: ignore[arg-type]  # fmt: skip


async def test_field_when_missing_null_or_of_a_wrong_type_then_its_code(scene: Scene) -> None:
    probe = Probe(scene)
    for operation, sample, field in fields(scene):
        name = field.encode_name
        if field.required:
            await probe.send(operation, sample.body(**{name: MISSING}), MISSING_CODES.get(name, "SDRS.0201"))
        for value in (None, 7, 7.5, True, {"a": 1}, [7]):
            if is_wrong(value, field.type):
                codes = MISSING_CODES if value is None and name in ("key", "value") else CODES
                await probe.send(operation, sample.body(**{name: value}), codes.get(name, "SDRS.0201"))
        for text in ("a\x00b", "\ud800"):  # what no database can hold
            await probe.send(operation, json.dumps(sample.body(**{name: text})).encode(), "SDRS.0201")
    assert await probe.wrong() == []


async def test_field_when_too_long_or_with_forbidden_characters_then_its_code(scene: Scene) -> None:
    probe = Probe(scene)
    for operation, sample, field in fields(scene):
        name = field.encode_name
        for named, value, code in VALUES:
            if named == name and operation != "delete_pair":
                await probe.send(operation, sample.body(**{name: value}), code)
        if not is_wrong("x", field.type) and (operation, name) not in {("change_tags", "action")}:
            await probe.send(operation, sample.body(**{name: "x" * 5000}), None)
    assert await probe.wrong() == []


async def test_body_when_it_is_no_object_or_says_things_twice_then_0201(scene: Scene) -> None:
    probe = Probe(scene)
    for operation, sample in scene.samples.items():
        first = "SDRS.0206" if operation in ("operate_group", "extend_pair") else "SDRS.0201"
        for body in (b"[]", b"null", b"7", b"{", b'"x"', b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"a":1,"a":1}'):
            await probe.send(operation, body, "SDRS.0201")
        if sample.wrapper is None:
            continue
        if not operation.startswith("delete"):
            for body in ({}, {sample.wrapper.upper(): sample.body()[sample.wrapper]}):
                await probe.send(operation, body, first)
            await probe.send(operation, {sample.wrapper: []}, "SDRS.0201")
            await probe.send(operation, {sample.wrapper: None}, None)
        twice = json.dumps(sample.body())
        await probe.send(operation, f"{twice[:-1]}, {twice[1:]}".encode(), "SDRS.0201")
    assert await probe.wrong() == []


async def test_id_in_the_path_when_malformed_unknown_or_of_another_project_then_its_code(scene: Scene) -> None:
    probe = Probe(scene)
    for route in ROUTES:
        body = scene.samples[route.operation].body() if route.operation in scene.samples else None
        for name in [name for name in IDS if f"{{{name}:str}}" in route.path]:
            malformed, unknown = IDS[name]
            for value in ("x", "0" * 31, "0" * 65, "%00", "%F0%9F%98%80", "'; DROP TABLE jobs; --"):
                await probe.send(route.operation, body, malformed, scene.path(route, **{name: value}))
            for value in (new_id(), "0" * 32):
                await probe.send(route.operation, body, unknown, scene.path(route, **{name: value}))
            if name == "replication_id" and route.operation == "detach_pair":
                continue  # the instance is looked for first
            await probe.send(route.operation, body, unknown, scene.path(route), token="stranger")
    assert await probe.wrong() == []


async def test_body_when_it_names_what_another_project_has_then_refused(scene: Scene) -> None:
    probe = Probe(scene)
    for operation in ("create_group", "create_instance", "create_instances", "create_pair", "create_drill",
                      "delete_instances"):  # fmt: skip
        await probe.send(operation, scene.samples[operation].body(), None, token="stranger")
    assert await probe.wrong() == []


async def test_query_when_a_parameter_is_wrong_then_its_code(scene: Scene) -> None:
    probe = Probe(scene)
    lists = ("list_groups", "list_instances", "list_pairs", "list_drills", "list_failures", "list_rpo_statistics")
    for operation in lists:
        for value in ("-1", "1001", "x", "1.5", "9" * 30, "１"):
            await probe.send(operation, None, "SDRS.0221", limit=value)
        for value in ("-1", "x", "1.5"):
            await probe.send(operation, None, "SDRS.0222", offset=value)
    for operation in lists[:-1]:
        await probe.send(operation, None, "SDRS.0201", marker="x")
        await probe.send(operation, None, "SDRS.0207", server_group_id="x")
    for operation in lists[:4]:
        for name, code in (("protected_instance_id", "SDRS.0208"), ("volume_id", "SDRS.0211"),
                           ("drill_vpc_id", "SDRS.0204")):  # fmt: skip
            await probe.send(operation, None, code, **{name: "x"})
        for name in ("server_group_ids", "protected_instance_ids"):
            await probe.send(operation, None, "SDRS.0226", **{name: json.dumps([new_id() for _ in range(31)])})
        await probe.send(operation, None, "SDRS.0201", name="a\x00b")
    for operation in lists[:3]:
        await probe.send(operation, None, "SDRS.0201", query_type="x")
    assert await probe.wrong() == []


async def test_probe_when_a_request_is_accepted_then_it_says_so(scene: Scene) -> None:
    probe = Probe(scene)
    await probe.send("create_group", scene.samples["create_group"].body(), None)
    found = await probe.wrong()
    assert len(found) == 2
    assert found[1] == "create_group changed something"
