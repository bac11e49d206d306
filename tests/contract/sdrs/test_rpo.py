"""RPO statistics: the history that the witness leaves, and how it is shown."""

from datetime import UTC, datetime
from typing import Any

import pytest

from opensdrs.domain import witness as rules
from opensdrs.domain.ids import GroupId, new_id
from opensdrs.domain.model import SyncGap
from opensdrs.domain.witness import Copy, Witness
from opensdrs.store import witness
from tests.contract.sdrs.world import NOW, PROJECT, World

PATH = "/resource/rpo-statistics"
START = NOW - NOW % 60  # a whole minute


async def history(world: World, *gaps: tuple[str, float, float | None]) -> None:
    """Insert gaps: group, and minutes since START."""
    for group_id, since, until in gaps:
        gap = SyncGap(
            id=new_id(), project_id=PROJECT, group_id=GroupId(group_id), instance_count=2, pair_count=3,
            since=START + since * 60, until=None if until is None else START + until * 60,
        )  # fmt: skip
        await world.insert(gap)


async def points(world: World, **query: Any) -> dict[int, int]:
    """Return the number of resources behind by minute since START, in the order of the answer."""
    answer = (await world.call("GET", PATH, **query)).json()
    found = {}
    for point in answer["resource_rpo_statistics"]:
        at = datetime.strptime(point["point_time"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()
        found[int(at - START) // 60] = point["resource_num"]
    return found


async def move(world: World, group_id: str, transition: Any, at: float, **options: Any) -> None:
    def apply(seen: Witness) -> Witness:
        moved: Witness = transition(seen, seen.epoch, at, **options)
        return moved

    await witness.change(world.database, GroupId(group_id), apply)


async def gaps_of(world: World) -> list[tuple[float, float | None]]:
    return sorted((gap.since, gap.until) for gap in await world.all(SyncGap))


async def test_history_when_a_protected_copy_falls_behind_then_a_gap_until_it_is_in_sync(world: World) -> None:
    group_id, _ = await world.protected()
    await world.set_witness(group_id, copy=Copy.SYNCING)
    await move(world, group_id, rules.record_in_sync, 100.0)
    assert await world.all(SyncGap) == []  # the first copy of an epoch is no gap
    await move(world, group_id, rules.record_stale, 110.0)
    (gap,) = await world.all(SyncGap)
    assert (gap.project_id, gap.group_id, gap.instance_count, gap.pair_count) == (PROJECT, group_id, 1, 1)
    assert (gap.since, gap.until) == (110.0, None)
    await move(world, group_id, rules.record_stale, 111.0)
    await move(world, group_id, rules.record_syncing, 112.0)
    assert await gaps_of(world) == [(110.0, None)]
    await move(world, group_id, rules.record_in_sync, 120.0)
    await move(world, group_id, rules.record_in_sync, 121.0)
    assert await gaps_of(world) == [(110.0, 120.0)]


@pytest.mark.parametrize(("transition", "options"), [(rules.renew, {}), (rules.promote, {"force": True})])
async def test_history_when_a_new_epoch_begins_then_the_gap_ends_and_none_begins(
    world: World, transition: Any, options: dict[str, Any]
) -> None:
    group_id, _ = await world.protected()
    await move(world, group_id, rules.record_stale, 110.0)
    await move(world, group_id, transition, 115.0, **options)
    await move(world, group_id, rules.record_stale, 116.0)
    await move(world, group_id, rules.record_syncing, 117.0)
    assert await gaps_of(world) == [(110.0, 115.0)]


async def test_history_when_the_register_moved_meanwhile_then_nothing_is_written(world: World) -> None:
    group_id, _ = await world.protected()
    with pytest.raises(witness.WitnessMoved):
        async with world.database.write() as connection:
            seen = await witness.read(connection, GroupId(group_id))
            stale = rules.record_stale(seen, seen.epoch, 110.0)
            await witness.write(connection, GroupId(group_id), stale, stale)
    assert await world.all(SyncGap) == []


async def test_history_when_the_group_is_deleted_then_kept_and_ended(world: World) -> None:
    group_id, _ = await world.protected()
    await move(world, group_id, rules.record_stale, 110.0)
    async with world.database.write() as connection:
        await witness.delete(connection, GroupId(group_id))
    ((since, until),) = await gaps_of(world)
    assert since == 110.0
    assert until is not None


async def test_statistics_when_nothing_was_behind_then_empty(world: World) -> None:
    assert (await world.call("GET", PATH)).json() == {"count": 0, "resource_rpo_statistics": []}


async def test_statistics_then_one_point_a_minute_with_the_numbers_added_up(world: World) -> None:
    world.clock[0] = START + 60 * 60
    await history(world, ("a", 10.5, 12.5), ("b", 12.0, 13.1), ("a", 12.6, 12.7), ("a", 40.0, 40.1))
    assert await points(world) == {40: 3, 13: 3, 12: 6, 11: 3, 10: 3}
    assert await points(world, resource_type="server_group") == {40: 1, 13: 1, 12: 2, 11: 1, 10: 1}
    assert await points(world, resource_type="protected_instance") == {40: 2, 13: 2, 12: 4, 11: 2, 10: 2}
    answer = (await world.call("GET", PATH, limit=1)).json()
    (point,) = answer["resource_rpo_statistics"]
    assert answer["count"] == 5
    assert (await world.call("GET", PATH)).json()["resource_rpo_statistics"][0] == point
    assert len(point.pop("id")) == 36
    time = datetime.fromtimestamp(START + 40 * 60, UTC).strftime("%Y-%m-%d %H:%M")
    assert point == {
        "point_time": time,
        "resource_num": 3,
        "resource_type": "replication",
        "created_at": f"{time}:00.000",
        "updated_at": f"{time}:00.000",
    }
    assert (await world.call("GET", PATH, token="stranger")).json()["count"] == 0


async def test_statistics_when_paged_then_every_point_once(world: World) -> None:
    world.clock[0] = START + 60 * 60
    await history(world, ("a", 1, 20.5), ("b", 30, 44.5))
    everything = await points(world)
    assert len(everything) == 35
    found: dict[int, int] = {}
    for offset in range(0, 42, 6):
        found |= await points(world, limit=6, offset=offset)
    assert list(found.items()) == list(everything.items())
    assert await points(world, offset=35) == {}


async def test_statistics_when_a_gap_lasts_then_until_now_and_by_default_for_seven_days(world: World) -> None:
    await history(world, ("a", -60 * 24 * 30, None))
    world.clock[0] = START + 30
    answer = (await world.call("GET", PATH)).json()
    assert (answer["count"], len(answer["resource_rpo_statistics"])) == (7 * 24 * 60 + 1, 1000)
    assert max(await points(world)) == 0


async def test_statistics_when_times_are_given_then_only_between_them(world: World) -> None:
    world.clock[0] = START + 60 * 60
    await history(world, ("a", 0, 59.0))

    def at(minute: float) -> str:
        return datetime.fromtimestamp(START + minute * 60, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]

    assert list(await points(world, start_time=at(10), end_time=at(12.5))) == [12, 11, 10]
    assert list(await points(world, start_time=at(57.5))) == [59, 58, 57]
    assert list(await points(world, end_time=at(1))) == [1, 0]
    assert await points(world, start_time=at(60), end_time=at(70)) == {}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"start_time": "yesterday"}, "SDRS.0201"),
        ({"end_time": "2019-13-01 00:00:00"}, "SDRS.0201"),
        ({"start_time": "2019-04-02 00:00:00.000", "end_time": "2019-04-01 00:00:00.000"}, "SDRS.0201"),
        ({"resource_type": "server"}, "SDRS.0201"),
        ({"limit": 1001}, "SDRS.0221"),
        ({"limit": -1}, "SDRS.0221"),
        ({"offset": "x"}, "SDRS.0222"),
    ],
)
async def test_statistics_when_the_query_is_wrong_then_its_code(world: World, query: dict[str, Any], code: str) -> None:
    assert await world.refused("GET", PATH, **query) == code
