"""What every request passes: authentication, project, policy, limits, and the form of every error."""

import httpx
import pytest
from litestar import Request, get

from opensdrs.api.app import build_app
from opensdrs.api.settings import ApiSettings
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import new_id
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.sdrs import build_services
from tests.contract.sdrs.world import OTHER_PROJECT, PROJECT, TokenTable, World, code_of

GROUPS = f"/v1/{PROJECT}/server-groups"


async def test_versions_when_nobody_is_logged_in_then_shown(world: World) -> None:
    version = {
        "id": "v1",
        "links": [{"href": "http://sdrs.test/v1", "rel": "self"}],
        "version": "",
        "status": "CURRENT",
        "updated": "2018-05-30T15:00:00Z",
        "min_version": "",
    }
    assert (await world.client.get("/")).json() == {"versions": [version]}
    assert (await world.client.get("/v1")).json() == {"version": version}
    answer = await world.client.get("/v2")
    assert (answer.status_code, code_of(answer)) == (404, "APIGW.0101")


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": "wrong"}])
async def test_request_when_nobody_is_known_then_401_in_the_gateways_form(
    world: World, headers: dict[str, str]
) -> None:
    answer = await world.client.get(GROUPS, headers=headers)
    assert (answer.status_code, code_of(answer)) == (401, "APIGW.0301")


async def test_request_when_the_project_is_not_the_tokens_then_0001(world: World) -> None:
    answer = await world.call("GET", "/server-groups", project=OTHER_PROJECT)
    assert (answer.status_code, code_of(answer)) == (400, "SDRS.0001")


async def test_write_when_the_caller_may_only_read_then_403_before_the_body_is_looked_at(world: World) -> None:
    answer = await world.call("POST", "/server-groups", b"nonsense", token="reader")
    assert (answer.status_code, code_of(answer)) == (403, "SDRS.0005")
    assert (await world.call("GET", "/server-groups", token="reader")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/v1/{PROJECT}/nothing", 404, "APIGW.0101"),
        ("GET", "/v1/a/b/c/d/e", 404, "APIGW.0101"),
        ("POST", f"/v1/{PROJECT}/protected-instances/{'0' * 32}/nothing", 404, "APIGW.0101"),
        ("PATCH", GROUPS, 405, "APIGW.0106"),
        ("PUT", GROUPS, 405, "APIGW.0106"),
    ],
)
async def test_request_when_route_or_method_are_unknown_then_the_gateways_code(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    answer = await world.client.request(method, path, headers={"X-Auth-Token": "owner"})
    assert (answer.status_code, code_of(answer)) == (status, code)


async def test_request_when_the_method_is_wrong_then_the_right_ones_are_named(world: World) -> None:
    answer = await world.client.put(GROUPS)
    assert answer.headers["allow"] == "GET, OPTIONS, POST"


@pytest.mark.parametrize("settings", [ApiSettings(max_body_bytes=100)])
async def test_request_when_the_body_is_too_large_then_413(world: World, settings: ApiSettings) -> None:
    answer = await world.call("POST", "/server-groups", b" " * 101)
    assert (answer.status_code, code_of(answer)) == (413, "APIGW.0201")

    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(10):
            yield b" " * 50

    answer = await world.client.post(GROUPS, content=chunks(), headers={"X-Auth-Token": "owner"})
    assert (answer.status_code, code_of(answer)) == (413, "APIGW.0201")


@pytest.mark.parametrize("settings", [ApiSettings(not_found_status=404)])
async def test_not_found_when_the_operator_chose_404_then_404_with_the_same_code(
    world: World, settings: ApiSettings
) -> None:
    for path, code in (
        ("/server-groups/", "SDRS.1013"),
        ("/protected-instances/", "SDRS.1320"),
        ("/replications/", "SDRS.1608"),
        ("/disaster-recovery-drills/", "SDRS.1902"),
    ):
        answer = await world.call("GET", path + new_id())
        assert (answer.status_code, code_of(answer)) == (404, code)
    assert (await world.call("GET", "/server-groups/x")).status_code == 400


async def test_not_found_when_nothing_was_chosen_then_400(world: World) -> None:
    assert (await world.call("GET", f"/server-groups/{new_id()}")).status_code == 400


@pytest.mark.parametrize(("given", "is_kept"), [("req-12345678", True), ("a\tb", False), ("x" * 65, False)])
async def test_request_id_when_sane_then_kept_else_made_up(world: World, given: str, is_kept: bool) -> None:
    for path in ("/", "/v1/nothing/here", GROUPS):
        answer = await world.client.get(path, headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) is is_kept
        assert len(answer.headers["x-request-id"]) >= 8


async def test_request_then_the_authenticator_sees_it_as_it_came(world: World, authenticator: TokenTable) -> None:
    await world.client.request(
        "GET", f"{GROUPS}/%61?name=a%20b&x=", content=b"{}", headers={"X-Auth-Token": "owner"}
    )  # fmt: skip
    assert authenticator.seen[-1] == ("GET", f"{GROUPS}/%61", "name=a%20b&x=", b"{}")


async def test_extra_router_then_it_passes_the_same_gate_and_renderer(world: World) -> None:
    @get("/infra/{what:str}", opt={"operation": "infra:show"})
    async def infra(request: Request) -> dict[str, str]:  # type: ignore[type-arg]
        match request.path_params["what"]:
            case "bug":
                raise RuntimeError("secret")
            case "silent":
                raise SiteFault("az1", "open", Cause.TIMEOUT, "5 s")
            case _:
                return {"user": request.user.user_name}

    @get("/healthz")
    async def health() -> dict[str, bool]:
        return {"ready": True}

    services = build_services(world.database, Outbox(), lambda: 0.0)
    app = build_app(services, TokenTable(), ApiSettings(), [infra, health])
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sdrs.test") as client:
        assert (await client.get("/healthz")).json() == {"ready": True}
        assert (await client.get("/openapi/openapi.json")).json()["info"]["title"] == "OpenSDRS"
        assert code_of(await client.get("/infra/x")) == "APIGW.0301"
        client.headers["X-Auth-Token"] = "owner"
        assert (await client.get("/infra/x")).json() == {"user": "u"}
        bug = await client.get("/infra/bug")
        assert (bug.status_code, code_of(bug), "secret" in bug.text) == (500, "SDRS.0013", False)
        silent = await client.get("/infra/silent")
        assert (silent.status_code, code_of(silent)) == (500, "SDRS.0008")
