"""The infrastructure API over HTTP: resources from birth to death, refusals, roles, and other projects."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from opensdrs.api.infra.reference import render
from opensdrs.api.infra.router import ROUTES
from opensdrs.iam.policy import MINIMUM
from tests.contract.infra_world import World, infra_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with infra_world(tmp_path) as built:
        yield built


async def _network(world: World) -> tuple[str, str]:
    vpc = await world.make("/vpcs", {"name": "vpc-1", "cidr": "192.168.0.0/16"})
    subnet = await world.make("/subnets", {"name": "subnet-1", "vpc_id": vpc["id"], "cidr": "192.168.0.0/24"})
    return vpc["id"], subnet["id"]


async def _server(world: World, **fields: Any) -> dict[str, Any]:
    vpc_id, subnet_id = await _network(world)
    body = {
        "name": "app-1", "availability_zone": "az1", "flavor_id": "s3.nano.1", "vpc_id": vpc_id,
        "nics": [{"subnet_id": subnet_id}], "volumes": [{"image": "tiny"}, {"size_gib": 2, "type": "SAS"}],
    }  # fmt: skip
    return await world.make("/servers", body | fields)


async def test_server_when_created_then_it_is_shown_in_full(world: World) -> None:
    server = await _server(world)
    assert (server["status"], server["flavor"], server["availability_zone"]) == ("ACTIVE", "s3.nano.1", "az1")
    assert server["nics"][0]["ip"] == "192.168.0.4"
    assert [(disk["device"], disk["name"]) for disk in server["volumes"]] == [
        ("/dev/vda", "app-1-system"), ("/dev/vdb", "app-1-data-1"),
    ]  # fmt: skip
    assert server["started_at"].endswith("Z")
    assert (await world.ask("GET", f"/servers/{server['id']}")).json() == server
    assert (await world.ask("GET", "/servers?name=app-1")).json() == {"servers": [server]}
    assert (await world.ask("GET", "/servers?name=app-2")).json() == {"servers": []}


async def test_server_when_stopped_started_and_deleted_then_it_follows(world: World) -> None:
    server = await _server(world)
    path = f"/servers/{server['id']}"
    assert (await world.ask("POST", f"{path}/stop", {"force": True})).json()["status"] == "SHUTOFF"
    assert (await world.ask("POST", f"{path}/start")).json()["status"] == "ACTIVE"
    assert "output" in (await world.ask("GET", f"{path}/console?tail=100")).json()
    assert (await world.ask("DELETE", f"{path}?delete_volumes=true")).status_code == 204
    gone = await world.ask("GET", path)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "OPENSDRS.0404")
    assert (await world.ask("GET", "/volumes")).json() == {"volumes": []}


async def test_server_when_locked_then_it_neither_stops_nor_goes(world: World) -> None:
    path = f"/servers/{(await _server(world))['id']}"
    changed = await world.ask("PATCH", path, {"name": "renamed", "attributes": {"locked": True, "billing": "x"}})
    assert (changed.json()["name"], changed.json()["attributes"]) == ("renamed", {"locked": True, "billing": "x"})
    for method, suffix in (("POST", "/stop"), ("POST", "/start"), ("DELETE", "")):
        refused = await world.ask(method, path + suffix)
        assert refused.status_code == 409
        assert "locked" in refused.json()["error"]["message"]
    await world.ask("PATCH", path, {"attributes": {"locked": None}})
    assert (await world.ask("POST", f"{path}/stop")).status_code == 200


async def test_volume_when_attached_and_opened_then_the_answer_says_who_has_it(world: World) -> None:
    server = await _server(world)
    volume = await world.make("/volumes", {"name": "extra", "availability_zone": "az1", "size_gib": 1})
    assert (await world.ask("GET", f"/volumes/{volume['id']}/uri")).json()["writable"] is True
    path = f"/servers/{server['id']}/volumes"
    assert (await world.ask("POST", path, {"volume_id": volume["id"]})).json()["device"] == "/dev/vdc"
    shown = (await world.ask("GET", f"/volumes/{volume['id']}")).json()
    assert (shown["status"], shown["attachments"][0]["server_id"]) == ("in-use", server["id"])
    opened = (await world.ask("GET", f"/volumes/{volume['id']}/uri")).json()
    assert (opened["writable"], opened["used_by"]) == (False, server["id"])
    assert (await world.ask("DELETE", f"/volumes/{volume['id']}")).status_code == 409
    assert (await world.ask("DELETE", f"{path}/{volume['id']}")).status_code == 204
    assert (await world.ask("DELETE", f"/volumes/{volume['id']}")).status_code == 204


async def test_eip_when_associated_with_a_server_then_shown_there(world: World) -> None:
    server = await _server(world)
    eip = await world.make("/eips", {"guest_port": 22})
    path = f"/eips/{eip['id']}"
    linked = (await world.ask("POST", f"{path}/associate", {"server_id": server["id"]})).json()
    assert (linked["port_id"], linked["server_id"]) == (server["nics"][0]["port_id"], server["id"])
    shown = (await world.ask("GET", f"/servers/{server['id']}")).json()
    assert shown["nics"][0]["eips"] == [linked]
    assert (await world.ask("DELETE", path)).status_code == 409
    assert (await world.ask("POST", f"{path}/disassociate")).json()["port_id"] is None
    assert (await world.ask("DELETE", path)).status_code == 204


async def test_catalogue_when_asked_then_sites_flavors_and_reservations(world: World) -> None:
    sites = (await world.ask("GET", "/sites")).json()["sites"]
    assert [(site["name"], site["is_reachable"], site["images"]) for site in sites] == [
        ("az1", True, ["tiny"]), ("az2", True, ["tiny"]),
    ]  # fmt: skip
    zones = (await world.ask("GET", "/availability-zones")).json()["availability_zones"]
    assert zones == [{"name": "az1", "is_available": True}, {"name": "az2", "is_available": True}]
    assert (await world.ask("GET", "/flavors")).json()["flavors"][0]["id"] == "s3.nano.1"
    host = await world.make("/dedicated-hosts", {"name": "host-1", "availability_zone": "az2"})
    assert (await world.ask("GET", f"/dedicated-hosts/{host['id']}")).json() == host
    assert (await world.ask("DELETE", f"/dedicated-hosts/{host['id']}")).status_code == 204
    pool = {"name": "pool-1", "availability_zone": "az1", "type": "SSD", "capacity_gib": 100}
    made = await world.make("/storage-pools", pool)
    assert (await world.ask("GET", "/storage-pools")).json() == {"storage_pools": [made]}


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/volumes", {"name": "v", "availability_zone": "az1", "size_gib": 0}, "1 to 32768"),
        ("/volumes", {"name": "v", "availability_zone": "az1", "size_gib": 32769}, "1 to 32768"),
        ("/volumes", {"name": "v", "availability_zone": "az1", "size_gib": "1"}, "size_gib"),
        ("/volumes", {"name": "v", "availability_zone": "az9", "size_gib": 1}, "az1, az2"),
        ("/volumes", {"name": "", "availability_zone": "az1", "size_gib": 1}, "name"),
        ("/volumes", {"name": "v" * 65, "availability_zone": "az1", "size_gib": 1}, "name"),
        ("/volumes", {"name": "v", "availability_zone": "az1", "size_gib": 1, "sise": 1}, "sise"),
        ("/volumes", {"name": "v", "availability_zone": "az1", "size_gib": 1, "type": "TAPE"}, "TAPE"),
        ("/volumes", None, "name"),
        ("/vpcs", {"name": "v", "cidr": "8.8.8.0/24"}, "cidr"),
        ("/eips", {"guest_port": 70000}, "guest_port"),
        ("/servers", {"name": "x"}, "availability_zone"),
    ],
)
async def test_create_when_a_field_is_wrong_then_400_that_names_it(
    world: World, path: str, body: Any, words: str
) -> None:
    answer = await world.ask("POST", path, body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": "a", "name": "b", "cidr": "10.0.0.0/8"}', b"\xff"])
async def test_create_when_the_body_is_not_json_then_400(world: World, body: bytes) -> None:
    headers = {"X-Auth-Token": world.tokens["admin"]}
    answer = await world.client.post(f"/infra/v1/{world.project_id}/vpcs", content=body, headers=headers)
    assert answer.status_code == 400


async def test_image_when_unknown_then_404_that_names_it(world: World) -> None:
    body = {"name": "v", "availability_zone": "az1", "size_gib": 1, "image": "no-such-image"}
    answer = await world.ask("POST", "/volumes", body)
    assert answer.status_code == 404
    assert "no-such-image" in answer.json()["error"]["message"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_when_the_role_is_too_low_then_403_and_without_a_token_401(world: World, route: Any) -> None:
    path = route.path.replace("{id:str}", "x").replace("{volume_id:str}", "y")
    below = {"reader": None, "operator": "reader", "admin": "operator", "system_admin": "admin"}
    user = below[MINIMUM[route.operation]]
    if user is not None:
        answer = await world.ask(route.method, path, user=user)
        code = "SDRS.0004" if MINIMUM[route.operation] == "system_admin" else "SDRS.0005"
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    anonymous = await world.client.request(route.method, f"/infra/v1/{world.project_id}{path}")
    assert (anonymous.status_code, anonymous.json()["error_code"]) == (401, "APIGW.0301")


async def test_another_project_when_it_uses_our_path_then_refused(world: World) -> None:
    answer = await world.ask("GET", "/servers", user="stranger")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "SDRS.0001")


async def test_flavors_when_a_system_admin_adds_one_then_everybody_sees_it(world: World) -> None:
    flavor = {"id": "x1", "name": "x1", "vcpus": 1, "memory_mib": 64}
    assert (await world.ask("POST", "/flavors", flavor, user="root")).status_code == 201
    assert (await world.ask("POST", "/flavors", flavor, user="root")).status_code == 409
    assert (await world.ask("GET", "/flavors/x1", user="reader")).json() == flavor
    assert (await world.ask("DELETE", "/flavors/x1", user="root")).status_code == 204


def test_reference_page_when_a_route_changed_then_it_has_to_be_written_again() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "infrastructure-api.md"
    assert page.read_text() == render(), "python -m opensdrs.api.infra.reference > docs/reference/infrastructure-api.md"
