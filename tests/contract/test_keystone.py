"""Identity over HTTP: tokens for passwords and tokens, projects, the catalog, signed requests, revocation."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from opensdrs.api.routes import ROUTES
from opensdrs.iam.policy import MINIMUM
from tests.contract.infra_world import PASSWORD, URL, World, infra_world, login_body


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with infra_world(tmp_path) as built:
        yield built


async def _log_in(world: World, body: Any, query: str = "") -> httpx.Response:
    return await world.client.post(f"/v3/auth/tokens{query}", json=body)


async def test_token_when_got_with_a_password_then_user_project_roles_and_catalog(world: World) -> None:
    answer = await _log_in(world, login_body("operator"))
    assert answer.status_code == 201
    assert answer.headers["x-subject-token"]
    assert answer.headers["x-iam-trace-id"] == answer.headers["x-request-id"]
    token = answer.json()["token"]
    assert (token["user"]["name"], token["project"]["name"]) == ("operator", "lab")
    assert token["roles"] == [{"id": "operator", "name": "operator"}]
    urls = {entry["type"]: entry["endpoints"][0] for entry in token["catalog"]}
    assert urls["sdrs"]["url"] == f"{URL}/v1/{world.project_id}"
    assert urls["identity"]["url"] == f"{URL}/v3"
    assert {entry["region_id"] for entry in urls.values()} == {"lab"}


@pytest.mark.parametrize("project", [{"name": "lab"}, {"id": "ID"}, {"name": "lab", "domain": {"name": "lab"}}])
async def test_token_when_the_project_is_named_in_any_way_then_the_same(world: World, project: dict[str, Any]) -> None:
    wanted = {"id": world.project_id} if "id" in project else project
    answer = await _log_in(world, login_body("reader", **wanted), "?nocatalog")
    assert answer.json()["token"]["project"]["id"] == world.project_id
    assert "catalog" not in answer.json()["token"]


async def test_token_when_unscoped_then_it_lists_projects_and_becomes_a_scoped_one(world: World) -> None:
    body = login_body("admin")
    del body["auth"]["scope"]
    unscoped = (await _log_in(world, body)).headers["x-subject-token"]
    projects = await world.client.get("/v3/auth/projects", headers={"X-Auth-Token": unscoped})
    assert [project["name"] for project in projects.json()["projects"]] == ["lab"]
    exchange = {"identity": {"methods": ["token"], "token": {"id": unscoped}}, "scope": {"project": {"name": "lab"}}}
    answer = await _log_in(world, {"auth": exchange})
    assert (answer.status_code, answer.json()["token"]["roles"][0]["name"]) == (201, "admin")


@pytest.mark.parametrize(
    "body",
    [
        login_body("admin", "wrong"),
        login_body("nobody"),
        login_body("admin", name="no-such-project"),
        login_body("admin", name="other"),
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "forged"}}}},
    ],
)
async def test_token_when_it_cannot_be_had_then_401_in_the_gateways_form(world: World, body: Any) -> None:
    answer = await _log_in(world, body)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
    assert "x-subject-token" not in answer.headers
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    "body", [{}, {"auth": {}}, {"auth": {"identity": {"methods": []}}}, {"auth": {"identity": {"methods": "password"}}}]
)
async def test_token_when_the_body_is_malformed_then_400(world: World, body: Any) -> None:
    assert (await _log_in(world, body)).status_code == 400


async def test_token_when_revoked_then_worthless(world: World) -> None:
    token = world.tokens["admin"]
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    assert (await world.client.get("/v3/auth/tokens", headers=headers)).status_code == 200
    assert (await world.client.delete("/v3/auth/tokens", headers=headers)).status_code == 204
    assert (await world.ask("GET", "/servers")).status_code == 401


async def test_projects_when_filtered_by_name_then_one_without_further_pages(world: World) -> None:
    headers = {"X-Auth-Token": world.tokens["admin"]}
    answer = (await world.client.get("/v3/projects?name=lab", headers=headers)).json()
    assert [project["id"] for project in answer["projects"]] == [world.project_id]
    assert answer["links"]["next"] is None
    assert (await world.client.get("/v3/projects?name=x", headers=headers)).json()["projects"] == []
    domains = (await world.client.get("/v3/auth/domains", headers=headers)).json()["domains"]
    assert [domain["name"] for domain in domains] == ["lab"]


async def test_version_when_asked_without_a_token_then_told(world: World) -> None:
    for path in ("/v3", "/v3/"):
        answer = (await world.client.get(path)).json()["version"]
        assert (answer["status"], answer["links"][0]["href"]) == ("stable", f"{URL}/v3/")


async def _signed(world: World, path: str, secret: str, **headers: str) -> httpx.Response:
    path, _, query = path.partition("?")
    request = SdkRequest(
        method="GET", schema="http", host="sdrs.test", resource_path=path, query_params=parse_qsl(query), body="",
        header_params={"Content-Type": "application/json", **headers}, stream=False,
    )  # fmt: skip
    signed = Signer(SimpleNamespace(ak=world.access_key, sk=secret)).sign(request)
    return await world.client.get(signed.uri, headers=signed.header_params)


async def test_signature_when_made_by_the_sdk_then_the_key_acts_for_its_user(world: World) -> None:
    path = f"/infra/v1/{world.project_id}/servers?name=a b"
    assert (await _signed(world, path, world.secret_key)).status_code == 200
    assert (await _signed(world, path, world.secret_key, **{"X-Project-Id": world.project_id})).status_code == 200
    assert (await _signed(world, "/v3/projects?name=lab", world.secret_key)).json()["projects"][0]["name"] == "lab"


async def test_signature_when_wrong_or_for_another_project_then_401(world: World) -> None:
    path = f"/infra/v1/{world.project_id}/servers"
    for answer in (
        await _signed(world, path, "another secret"),
        await _signed(world, path, world.secret_key, **{"X-Project-Id": "f" * 32}),
        await _signed(world, f"/infra/v1/{'f' * 32}/servers", world.secret_key),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
        assert world.secret_key not in answer.text


async def test_token_when_an_authorization_of_another_scheme_is_there_too_then_the_token_counts(world: World) -> None:
    headers = {"X-Auth-Token": world.tokens["reader"], "Authorization": "token"}
    answer = await world.client.get(f"/infra/v1/{world.project_id}/servers", headers=headers)
    assert answer.status_code == 200


async def test_bootstrap_when_repeated_then_nothing_doubles_and_the_password_is_the_last_one(world: World) -> None:
    again = await world.bootstrap.ensure_user("reader", "lab", "Another-1")
    assert again == await world.bootstrap.ensure_user("reader", "lab", "Another-1")
    assert (await _log_in(world, login_body("reader"))).status_code == 401
    assert (await _log_in(world, login_body("reader", "Another-1"))).status_code == 201
    keys = await world.bootstrap.ensure_access_key(again, "AK", "a secret")
    assert keys == await world.bootstrap.ensure_access_key(again, "AK", "a secret")


def test_policy_when_a_route_of_sdrs_exists_then_a_role_may_use_it() -> None:
    assert [route.operation for route in ROUTES if route.operation not in MINIMUM] == []
