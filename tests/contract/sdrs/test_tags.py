"""Tags of protected instances: add, delete, show."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.model import Instance, Tag
from tests.contract.sdrs.world import World

PATH = "/protected-instances"


def tag(key: str, value: str = "") -> dict[str, str]:
    return {"key": key, "value": value}


@pytest.fixture
async def instance_id(world: World) -> str:
    return await world.instance(await world.group())


async def shown(world: World, instance_id: str) -> list[tuple[str, str]]:
    answer = await world.call("GET", f"{PATH}/{instance_id}/tags")
    assert list(answer.json()) == ["tags"]
    return [(row["key"], row["value"]) for row in answer.json()["tags"]]


async def done(world: World, method: str, path: str, body: Any = None) -> None:
    answer = await world.call(method, path, body)
    assert (answer.status_code, answer.content) == (204, b""), answer.text


async def test_add_tag_when_the_key_is_there_then_replaced_else_added(world: World, instance_id: str) -> None:
    path = f"{PATH}/{instance_id}/tags"
    for value in ("1", "2", "2", ""):
        await done(world, "POST", path, {"tag": tag("k", value)})
        assert await shown(world, instance_id) == [("k", value)]
    await done(world, "POST", path, {"tag": tag("a", "é中文")})
    assert await shown(world, instance_id) == [("a", "é中文"), ("k", "")]
    assert len({row.id for row in await world.all(Tag)}) == 2


async def test_change_tags_then_all_at_once_and_again_the_same(world: World, instance_id: str) -> None:
    path = f"{PATH}/{instance_id}/tags/action"
    for _ in range(2):
        await done(world, "POST", path, {"action": "create", "tags": [tag("a", "1"), tag("b", "2"), tag("c", "3")]})
        assert await shown(world, instance_id) == [("a", "1"), ("b", "2"), ("c", "3")]
    unwanted = [{"key": "a"}, tag("b", "other"), tag("c", "3"), {"key": "no=such"}]
    for _ in range(2):
        await done(world, "POST", path, {"action": "delete", "tags": unwanted})
        assert await shown(world, instance_id) == [("b", "2")]


@pytest.mark.parametrize("key", ["DEV", "a b", "é", "键 值", "50%", "a%41", "q?x#y", "a+b", "..x"])
async def test_delete_tag_when_its_key_is_any_text_then_percent_encoded(
    world: World, instance_id: str, key: str
) -> None:
    path = f"{PATH}/{instance_id}/tags"
    await done(world, "POST", path, {"tag": tag(key, "v")})
    assert await shown(world, instance_id) == [(key, "v")]
    await done(world, "DELETE", f"{path}/{quote(key, safe='')}")
    assert await shown(world, instance_id) == []
    gone = await world.call("DELETE", f"{path}/{quote(key, safe='')}")
    assert (gone.status_code, gone.json()["error_code"]) == (404, "SDRS.2206")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "SDRS.0201"),
        ({"tag": None}, "SDRS.0201"),
        ({"tag": {"value": "v"}}, "SDRS.2205"),
        ({"tag": {"key": None, "value": "v"}}, "SDRS.2205"),
        ({"tag": {"key": 1, "value": "v"}}, "SDRS.2204"),
        ({"tag": {"key": "k"}}, "SDRS.2208"),
        ({"tag": {"key": "k", "value": None}}, "SDRS.2208"),
        ({"tag": {"key": "k", "value": 1}}, "SDRS.2207"),
        ({"tag": tag("")}, "SDRS.2205"),
        ({"tag": tag("  ")}, "SDRS.2205"),
        ({"tag": tag("k" * 37)}, "SDRS.2204"),
        *(({"tag": tag(f"k{sign}")}, "SDRS.2204") for sign in "*<>\\=,|/\n\x1f"),
        *(({"tag": tag("k", f"v{sign}")}, "SDRS.2207") for sign in "*<>\\=,|/\n\x1f"),
        ({"tag": tag("k", "v" * 44)}, "SDRS.2207"),
    ],
)
async def test_add_tag_when_it_is_wrong_then_its_code(
    world: World, instance_id: str, wanted: dict[str, Any], code: str
) -> None:
    assert await world.refused("POST", f"{PATH}/{instance_id}/tags", wanted) == code
    assert await shown(world, instance_id) == []


async def test_add_tag_when_it_is_as_long_as_possible_then_kept(world: World, instance_id: str) -> None:
    await done(world, "POST", f"{PATH}/{instance_id}/tags", {"tag": tag("键" * 36, "值" * 43)})
    assert await shown(world, instance_id) == [("键" * 36, "值" * 43)]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"tags": [tag("k")]}, "SDRS.2201"),
        ({"action": None, "tags": [tag("k")]}, "SDRS.2201"),
        ({"action": "update", "tags": [tag("k")]}, "SDRS.2201"),
        ({"action": "create"}, "SDRS.2202"),
        ({"action": "create", "tags": None}, "SDRS.2202"),
        ({"action": "delete", "tags": []}, "SDRS.2202"),
        ({"action": "create", "tags": [tag("k"), tag("k", "v")]}, "SDRS.2209"),
        ({"action": "create", "tags": [{"key": "k"}]}, "SDRS.2208"),
        ({"action": "create", "tags": [tag("a=b")]}, "SDRS.2204"),
        ({"action": "create", "tags": [tag("k", "*")]}, "SDRS.2207"),
        ({"action": "create", "tags": [tag(str(number)) for number in range(11)]}, "SDRS.2203"),
        ({"action": "delete", "tags": [tag(str(number)) for number in range(11)]}, "SDRS.2203"),
        ({"action": "delete", "tags": [{"value": "v"}]}, "SDRS.2205"),
        ({"action": "delete", "tags": [{"key": ""}]}, "SDRS.2205"),
        ({"action": "delete", "tags": ["k"]}, "SDRS.0201"),
    ],
)
async def test_change_tags_when_something_is_wrong_then_its_code(
    world: World, instance_id: str, wanted: dict[str, Any], code: str
) -> None:
    assert await world.refused("POST", f"{PATH}/{instance_id}/tags/action", wanted) == code


async def test_add_tag_when_there_are_ten_then_2203_but_replacing_works(world: World, instance_id: str) -> None:
    path = f"{PATH}/{instance_id}/tags"
    await done(world, "POST", f"{path}/action", {"action": "create", "tags": [tag(str(n)) for n in range(10)]})
    assert await world.refused("POST", path, {"tag": tag("x")}) == "SDRS.2203"
    both = {"action": "create", "tags": [tag("9", "new"), tag("x")]}
    assert await world.refused("POST", f"{path}/action", both) == "SDRS.2203"
    assert ("9", "") in await shown(world, instance_id)
    await done(world, "POST", path, {"tag": tag("9", "new")})
    assert ("9", "new") in await shown(world, instance_id)


async def test_add_tag_when_asked_at_once_then_never_more_than_ten(world: World, instance_id: str) -> None:
    path = f"{PATH}/{instance_id}/tags"
    await done(world, "POST", f"{path}/action", {"action": "create", "tags": [tag(str(n)) for n in range(8)]})
    answers = await asyncio.gather(*(world.call("POST", path, {"tag": tag(f"x{n}")}) for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [204, 204, 400, 400, 400, 400]
    assert len(await world.all(Tag)) == 10


@pytest.mark.parametrize(
    ("status", "adding", "deleting"),
    [
        ("creating", "SDRS.2221", "SDRS.2222"),
        ("deleting", "SDRS.2221", "SDRS.2222"),
        ("error", "SDRS.2221", "SDRS.2206"),
        ("invalid", "SDRS.2221", "SDRS.2206"),
        ("starting", "", "SDRS.2206"),
        ("fault", "", "SDRS.2206"),
    ],
)
async def test_tags_when_the_instance_is_not_normal_then_its_code(
    world: World, instance_id: str, status: str, adding: str, deleting: str
) -> None:
    await world.update(Instance, instance_id, status=status)
    path = f"{PATH}/{instance_id}/tags"
    assert await world.refused("DELETE", f"{path}/k") == deleting
    answer = await world.call("POST", path, {"tag": tag("k")})
    assert answer.json()["error_code"] == adding if adding else answer.status_code == 204


async def test_tags_when_the_instance_is_malformed_unknown_or_anothers_then_its_code(
    world: World, instance_id: str
) -> None:
    for row, token, code in (
        ("x", "owner", "SDRS.0208"),
        (new_id(), "owner", "SDRS.1320"),
        (instance_id, "stranger", "SDRS.1320"),
    ):
        path = f"{PATH}/{row}/tags"
        assert await world.refused("GET", path, token=token) == code
        assert await world.refused("POST", path, {"tag": tag("k")}, token=token) == code
        assert await world.refused("DELETE", f"{path}/k", token=token) == code
        for action in ("create", "delete"):
            wanted = {"action": action, "tags": [tag("k")]}
            assert await world.refused("POST", f"{path}/action", wanted, token=token) == code
    assert await world.refused("DELETE", f"{PATH}/{instance_id}/tags/%20") == "SDRS.2205"
    assert await world.refused("POST", f"{PATH}/{instance_id}/tags", {}, token="reader") == "SDRS.0005"


async def test_tags_of_the_project_then_every_key_with_its_values(world: World, instance_id: str) -> None:
    assert (await world.call("GET", f"{PATH}/tags")).json() == {"tags": []}
    other = await world.instance(await world.group(), tags=[tag("b", "2"), tag("ä", "")])
    await done(world, "POST", f"{PATH}/{instance_id}/tags", {"tag": tag("b", "1")})
    expected = [{"key": "b", "values": ["1", "2"]}, {"key": "ä", "values": [""]}]
    assert (await world.call("GET", f"{PATH}/tags")).json() == {"tags": expected}
    await done(world, "POST", f"{PATH}/{other}/tags", {"tag": tag("b", "1")})
    assert (await world.call("GET", f"{PATH}/tags")).json()["tags"][0] == {"key": "b", "values": ["1"]}
    assert (await world.call("GET", f"{PATH}/tags", token="stranger")).json() == {"tags": []}
