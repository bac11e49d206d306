"""Quotas set by administrators, over the infrastructure API, and what binds then."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.infra_world import World, infra_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with infra_world(tmp_path) as built:
        yield built


async def quotas(world: World) -> dict[str, int]:
    headers = {"X-Auth-Token": world.tokens["reader"]}
    answer = await world.client.get(f"/v1/{world.project_id}/sdrs/quotas", headers=headers)
    return {row["type"]: row["quota"] for row in answer.json()["quotas"]["resources"]}


async def test_quota_when_set_then_shown_and_set_again(world: World) -> None:
    for quota in (7, 0, -1, 2**31 - 1):
        answer = await world.ask("PUT", "/quotas", {"type": "replications", "quota": quota}, user="root")
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in ("type", "quota", "project_id")} == {
            "type": "replications", "quota": quota, "project_id": world.project_id,
        }  # fmt: skip
        assert await quotas(world) == {"server_groups": 50, "replications": quota}


async def test_quota_when_set_for_another_project_then_this_one_keeps_its_own(world: World) -> None:
    body = {"type": "replications", "quota": 3, "project_id": "0" * 32}
    assert (await world.ask("PUT", "/quotas", body, user="root")).json()["project_id"] == "0" * 32
    assert (await quotas(world))["replications"] == 100


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": "servers", "quota": 1}, "SDRS.0301"),
        ({"type": "replications", "quota": "1"}, "SDRS.0302"),
        ({"type": "replications", "quota": 1.5}, "SDRS.0302"),
        ({"type": "replications", "quota": None}, "SDRS.0302"),
        ({"type": "replications", "quota": True}, "SDRS.0302"),
        ({"type": "replications", "quota": -2}, "SDRS.0304"),
        ({"type": "replications", "quota": 2**31}, "SDRS.0304"),
        ({"type": "replications"}, "OPENSDRS.0400"),
        ({"type": "replications", "quota": 1, "sise": 1}, "OPENSDRS.0400"),
    ],
)
async def test_quota_when_it_is_wrong_then_its_code(world: World, body: dict[str, Any], code: str) -> None:
    answer = await world.ask("PUT", "/quotas", body, user="root")
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
