"""RPO statistics: minute by minute, how many resources had a copy that was behind. From the history of the witness.

Not in the API reference: path, fields and formats are those of the clients (CONTRACT R1). A minute in which everything
was in sync has no point.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

import sqlalchemy as sa

from opensdrs.domain.ids import GroupId
from opensdrs.domain.model import SyncGap
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Clock
from opensdrs.services.requests import RpoFilter
from opensdrs.services.views import RpoPoint
from opensdrs.store import rows, tables
from opensdrs.store.database import Database

_MINUTE_S = 60
_DEFAULT_SPAN_S = 7 * 24 * 3600.0
# How many resources of a type a gap concerns; the words are the clients'.
COUNTS: Mapping[str, Callable[[SyncGap], int]] = {
    "server_group": lambda _gap: 1,
    "protected_instance": attrgetter("instance_count"),
    "replication": attrgetter("pair_count"),
}


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Minutes since the Unix epoch, both inside, with the same number of resources behind."""

    first: int
    last: int
    number: int


class RpoService:
    """Shows a project's history."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, caller: Caller, wanted: RpoFilter) -> tuple[Sequence[RpoPoint], int]:
        """Return a page of points, newest first, and the number of all. Without a start: the last seven days."""
        end = min(self._clock(), wanted.end if wanted.end is not None else self._clock())
        start = wanted.start if wanted.start is not None else end - _DEFAULT_SPAN_S
        history = tables.sync_history
        async with self._database.read() as connection:
            gaps = await rows.select(
                connection, SyncGap, caller.scope,
                history.c.since <= end, sa.or_(history.c.until.is_(None), history.c.until >= start),
            )  # fmt: skip
        stretches = _stretches(gaps, COUNTS[wanted.resource_type], start, end)
        minutes = _page(stretches, wanted.offset, wanted.limit)
        points = [_point(caller, wanted.resource_type, minute, number) for minute, number in minutes]
        return points, sum(stretch.last - stretch.first + 1 for stretch in stretches)


def _stretches(gaps: Iterable[SyncGap], count: Callable[[SyncGap], int], start: float, end: float) -> list[_Stretch]:
    """Add the gaps up; newest first. Two gaps of a group within one minute count once."""
    changes: Counter[int] = Counter()
    next_free: dict[GroupId, int] = {}
    for gap in sorted(gaps, key=lambda gap: gap.since):
        first = max(int(max(gap.since, start)) // _MINUTE_S, next_free.get(gap.group_id, 0))
        last = int(min(end if gap.until is None else gap.until, end)) // _MINUTE_S
        if first > last:
            continue
        next_free[gap.group_id] = last + 1
        changes[first] += count(gap)
        changes[last + 1] -= count(gap)
    stretches, number = [], 0
    for minute, following in pairwise(sorted(changes)):
        number += changes[minute]
        if number:
            stretches.append(_Stretch(minute, following - 1, number))
    return stretches[::-1]


def _page(stretches: Iterable[_Stretch], offset: int, limit: int) -> list[tuple[int, int]]:
    page: list[tuple[int, int]] = []
    for stretch in stretches:
        length = stretch.last - stretch.first + 1
        newest = stretch.last - min(offset, length)
        offset -= min(offset, length)
        oldest = max(stretch.first, newest - (limit - len(page)) + 1)
        page += [(minute, stretch.number) for minute in range(newest, oldest - 1, -1)]
    return page


def _point(caller: Caller, resource_type: str, minute: int, number: int) -> RpoPoint:
    name = f"{caller.project_id}/{resource_type}/{minute}"
    return RpoPoint(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        at=float(minute * _MINUTE_S),
        resource_type=resource_type,
        resource_count=number,
    )
