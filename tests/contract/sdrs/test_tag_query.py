"""Protected instances by tag: the query language of 5.8.1."""

from typing import Any

import pytest

from opensdrs.domain.ids import new_id
from opensdrs.domain.model import Instance, Tag
from tests.contract.sdrs.world import NOW, PROJECT, World

PATH = "/protected-instances/resource_instances/action"
# The instances by name, oldest first, with their tags.
TAGS: dict[str, dict[str, str]] = {
    "alpha": {"env": "prod", "tier": "web"},
    "beta": {"env": "prod", "tier": "db"},
    "gamma": {"env": "test", "tier": "web"},
    "Delta_1": {"env": ""},
    "none": {},
    "unicode": {"环境": "生产一", "pct": "100%"},
}


@pytest.fixture
async def tagged(world: World) -> World:
    """Instances without anything behind them: a query looks at rows only."""
    group_id = await world.group()
    for number, (name, tags) in enumerate(TAGS.items()):
        instance = Instance(
            id=new_id(), project_id=PROJECT, group_id=group_id, name=name, description=None, status="available",
            source_server_id=new_id(), target_server_id=new_id(), created_at=NOW + number, updated_at=NOW,
        )  # fmt: skip
        its = [Tag(id=new_id(), project_id=PROJECT, instance_id=instance.id, key=k, value=v) for k, v in tags.items()]
        await world.insert(instance, *its)
    return world


def has(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "values": list(values)}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, list(TAGS)),
        ({"tags": [], "tags_any": None, "not_tags": [], "not_tags_any": []}, list(TAGS)),
        ({"tags": [has("env", "prod")]}, ["alpha", "beta"]),
        ({"tags": [has("env", "prod", "test")]}, ["alpha", "beta", "gamma"]),
        ({"tags": [has("env", "prod"), has("tier", "web")]}, ["alpha"]),
        ({"tags": [has("env")]}, ["alpha", "beta", "gamma", "Delta_1"]),
        ({"tags": [{"key": "env", "values": None}]}, ["alpha", "beta", "gamma", "Delta_1"]),
        ({"tags": [has("env", "")]}, ["Delta_1"]),
        ({"tags": [has(" env ", " prod ")]}, ["alpha", "beta"]),
        ({"tags": [has("ENV")]}, []),
        ({"tags": [has("env", "*ro")]}, ["alpha", "beta"]),
        ({"tags": [has("env", "*T", "nothing")]}, ["gamma"]),
        ({"tags": [has("env", "ro")]}, []),
        ({"tags": [has("环境", "*产")]}, ["unicode"]),
        ({"tags": [has("环境", "生产一")]}, ["unicode"]),
        ({"tags": [has("pct", "*%")]}, ["unicode"]),
        ({"tags": [has("env", "*%")]}, []),
        ({"tags": [has("env", "*_")]}, []),
        ({"tags_any": [has("env", "test"), has("tier", "db")]}, ["beta", "gamma"]),
        ({"tags_any": [has("no"), has("pct")]}, ["unicode"]),
        ({"not_tags": [has("env", "prod"), has("tier", "web")]}, ["beta", "gamma", "Delta_1", "none", "unicode"]),
        ({"not_tags_any": [has("env", "prod"), has("tier", "web")]}, ["Delta_1", "none", "unicode"]),
        ({"not_tags_any": [has("env")]}, ["none", "unicode"]),
        ({"not_tags": [has("env", "*o", "")]}, ["gamma", "none", "unicode"]),
        ({"tags": [has("env")], "not_tags": [has("tier", "db")]}, ["alpha", "gamma", "Delta_1"]),
        ({"tags_any": [has("env"), has("pct")], "not_tags_any": [has("tier")]}, ["Delta_1", "unicode"]),
        ({"matches": [{"key": "resource_name", "value": "ETA"}]}, ["beta"]),
        ({"matches": [{"key": "resource_name", "value": "delta_"}]}, ["Delta_1"]),
        ({"matches": [{"key": "resource_name", "value": "a_"}]}, ["Delta_1"]),
        ({"matches": [{"key": "resource_name", "value": ""}]}, []),
        ({"matches": [{"key": "resource_name", "value": "a"}], "tags": [has("tier", "web")]}, ["alpha", "gamma"]),
    ],
)
async def test_query_when_conditions_are_given_then_exactly_those(
    tagged: World, query: dict[str, Any], names: list[str]
) -> None:
    answer = await tagged.call("POST", PATH, {"action": "filter", **query})
    assert answer.status_code == 200, answer.text
    assert [row["resource_name"] for row in answer.json()["resources"]] == names[::-1]
    assert answer.json()["total_count"] == len(names)
    counted = await tagged.call("POST", PATH, {"action": "count", **query})
    assert counted.json() == {"total_count": len(names)}


@pytest.mark.parametrize(
    ("paging", "names"),
    [
        ({"limit": 2}, ["unicode", "none"]),
        ({"limit": "2", "offset": "1"}, ["none", "Delta_1"]),
        ({"offset": 4}, ["beta", "alpha"]),
        ({"offset": "6"}, []),
        ({"offset": "9" * 19}, []),
        ({"limit": "1000"}, list(TAGS)[::-1]),
        ({"limit": None, "offset": None}, list(TAGS)[::-1]),
    ],
)
async def test_query_when_paged_then_numbers_or_text_and_the_count_of_all(
    tagged: World, paging: dict[str, Any], names: list[str]
) -> None:
    answer = (await tagged.call("POST", PATH, {"action": "filter", **paging})).json()
    assert [row["resource_name"] for row in answer["resources"]] == names
    assert answer["total_count"] == len(TAGS)


async def test_query_then_each_resource_in_full(tagged: World) -> None:
    wanted = {"action": "filter", "tags": [has("env", "test")]}
    (found,) = (await tagged.call("POST", PATH, wanted)).json()["resources"]
    detail = (await tagged.call("GET", f"/protected-instances/{found['resource_id']}")).json()["protected_instance"]
    tags = [{"key": "env", "value": "test"}, {"key": "tier", "value": "web"}]
    assert found == {"resource_id": detail["id"], "resource_name": "gamma", "resource_detail": detail, "tags": tags}
    assert (await tagged.call("POST", PATH, {"action": "count"}, token="stranger")).json() == {"total_count": 0}
    assert (await tagged.call("POST", PATH, {"action": "count"}, token="reader")).status_code == 200


ELEVEN = [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"action": None}, "SDRS.2210"),
        ({"action": "delete"}, "SDRS.2210"),
        ({"action": "count", "limit": "1"}, "SDRS.2211"),
        ({"action": "count", "offset": 0}, "SDRS.2211"),
        *(({"limit": limit}, "SDRS.2220") for limit in (0, "0", -1, 1001, "1001", "x", "", 1.5, True, "+1", "١")),
        *(({"offset": offset}, "SDRS.0222") for offset in (-1, "-1", "x", 1.5, True, [], "9" * 20)),
        ({"matches": []}, "SDRS.2212"),
        ({"matches": [{"value": "v"}]}, "SDRS.2213"),
        ({"matches": [{"key": None, "value": "v"}]}, "SDRS.2213"),
        ({"matches": [{"key": " ", "value": "v"}]}, "SDRS.2213"),
        ({"matches": [{"key": "resource_id", "value": "v"}]}, "SDRS.2214"),
        ({"matches": [{"key": 1, "value": "v"}]}, "SDRS.2214"),
        ({"matches": [{"key": "resource_name", "value": v} for v in "ab"]}, "SDRS.2215"),
        ({"matches": [{"key": "resource_name"}]}, "SDRS.2216"),
        ({"matches": [{"key": "resource_name", "value": None}]}, "SDRS.2216"),
        ({"matches": [{"key": "resource_name", "value": 1}]}, "SDRS.2217"),
        ({"matches": [{"key": "resource_name", "value": "v" * 256}]}, "SDRS.2217"),
        ({"matches": {}}, "SDRS.0201"),
    ],
)
async def test_query_when_something_is_wrong_then_its_code(world: World, query: dict[str, Any], code: str) -> None:
    assert await world.refused("POST", PATH, {"action": "filter", **query}) == code


@pytest.mark.parametrize("name", ["tags", "tags_any", "not_tags", "not_tags_any"])
@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([has(key) for key in ELEVEN], "SDRS.2203"),
        ([has("k" * 128)], "SDRS.2204"),
        ([{"key": 1, "values": []}], "SDRS.2204"),
        ([has(" ")], "SDRS.2205"),
        ([{"values": []}], "SDRS.2205"),
        ([{"key": None, "values": []}], "SDRS.2205"),
        ([has("k", "v" * 256)], "SDRS.2207"),
        ([has("k", "*")], "SDRS.2207"),
        ([has("k", "**")], "SDRS.2207"),
        ([{"key": "k", "values": [1]}], "SDRS.2207"),
        ([{"key": "k", "values": "v"}], "SDRS.2207"),
        ([{"key": "k"}], "SDRS.2208"),
        ([{"key": "k", "values": [None]}], "SDRS.2208"),
        ([has("k"), has("k ")], "SDRS.2209"),
        ([has("k", *ELEVEN)], "SDRS.2218"),
        ([has("k", "v", " v")], "SDRS.2219"),
        (["k"], "SDRS.0201"),
    ],
)
async def test_query_when_a_list_of_tags_is_wrong_then_its_code(
    world: World, name: str, tags: list[Any], code: str
) -> None:
    assert await world.refused("POST", PATH, {"action": "filter", name: tags}) == code


async def test_query_when_keys_and_values_are_as_long_as_possible_then_accepted(world: World) -> None:
    wanted = {"action": "count", "tags": [has("键" * 127, "值" * 255)]}
    assert (await world.call("POST", PATH, wanted)).json() == {"total_count": 0}
