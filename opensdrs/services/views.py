"""Rows with what belongs to them: what a renderer needs to show a resource, in few queries however long a list is."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from opensdrs.domain.infrastructure import Volume
from opensdrs.domain.model import (
    Drill,
    DrillServer,
    Group,
    Instance,
    Job,
    Pair,
    PairAttachment,
    Tag,
)
from opensdrs.domain.statuses import GroupStatus, Station
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM, Row

_UNPROTECTED = {GroupStatus.CREATING, GroupStatus.AVAILABLE, GroupStatus.ERROR}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group, how many resources it holds, and its synchronisation in percent (MATRIX C8)."""

    group: Group
    instances: int
    pairs: int
    drills: int
    progress: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """An instance, the pairs attached to it, its tags, and its synchronisation in percent."""

    instance: Instance
    station: Station
    attachments: Sequence[PairAttachment]
    tags: Sequence[Tag]
    progress: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """A pair, what it is attached to, and its disk (None when both disks were deleted behind our back)."""

    pair: Pair
    station: Station
    attachments: Sequence[PairAttachment]
    volume: Volume | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillView:
    """A drill and its servers."""

    drill: Drill
    servers: Sequence[DrillServer]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job and its parts, oldest first."""

    job: Job
    parts: Sequence[Job]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """A quota and how much of it is used; -1 is unlimited."""

    type: str
    used: int
    quota: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RpoPoint:
    """How many resources of a type had a copy that was behind, in the minute that begins at `at`."""

    id: str
    at: float
    resource_type: str
    resource_count: int


async def view_groups(connection: Connection, groups: Sequence[Group]) -> list[GroupView]:
    """Return the groups with their counts."""
    ids = [group.id for group in groups]
    instances = await _counts(connection, tables.instances, ids)
    drills = await _counts(connection, tables.drills, ids)
    pairs = await _counts(connection, tables.pairs, ids)
    progress = await _progress(connection, ids)
    return [
        GroupView(
            group=group,
            instances=instances.get(group.id, 0),
            pairs=pairs.get(group.id, 0),
            drills=drills.get(group.id, 0),
            progress=0 if group.status in _UNPROTECTED else progress.get(group.id, 0),
        )
        for group in groups
    ]


async def _counts(connection: Connection, table: sa.Table, group_ids: Collection[str]) -> dict[str, int]:
    query = (
        sa.select(table.c.group_id, sa.func.count()).where(table.c.group_id.in_(group_ids)).group_by(table.c.group_id)
    )
    return {row[0]: int(row[1]) for row in await connection.execute(query)}


async def _progress(connection: Connection, group_ids: Collection[str]) -> dict[str, int]:
    pairs = tables.pairs
    query = (
        sa.select(pairs.c.group_id, sa.func.min(pairs.c.progress))
        .where(pairs.c.group_id.in_(group_ids))
        .group_by(pairs.c.group_id)
    )
    return {row[0]: int(row[1]) for row in await connection.execute(query)}


async def view_instances(connection: Connection, instances: Sequence[Instance]) -> list[InstanceView]:
    """Return the instances with their pairs and tags."""
    ids = [instance.id for instance in instances]
    attached = await rows.select(connection, PairAttachment, SYSTEM, tables.pair_attachments.c.instance_id.in_(ids))
    tags = await rows.select(connection, Tag, SYSTEM, tables.tags.c.instance_id.in_(ids))
    pairs = await rows.select(connection, Pair, SYSTEM, tables.pairs.c.id.in_({row.pair_id for row in attached}))
    stations = await _stations(connection, {instance.group_id for instance in instances})
    progress = {pair.id: pair.progress for pair in pairs}
    by_instance, tags_of = _grouped(attached, "instance_id"), _grouped(tags, "instance_id")
    views = []
    for instance in instances:
        mine = sorted(by_instance[instance.id], key=lambda row: row.device)
        views.append(
            InstanceView(
                instance=instance,
                station=stations[instance.group_id],
                attachments=mine,
                tags=sorted(tags_of[instance.id], key=lambda tag: tag.key),
                progress=min((progress[row.pair_id] for row in mine), default=0),
            )
        )
    return views


def _grouped(items: Sequence[Row], key: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for item in items:
        grouped[getattr(item, key)].append(item)
    return grouped


async def _stations(connection: Connection, group_ids: Collection[str]) -> dict[str, Station]:
    groups = await rows.select(connection, Group, SYSTEM, tables.groups.c.id.in_(group_ids))
    return {group.id: group.priority_station for group in groups}


async def view_pairs(connection: Connection, pairs: Sequence[Pair]) -> list[PairView]:
    """Return the pairs with their attachments and disks."""
    attached = await rows.select(
        connection, PairAttachment, SYSTEM, tables.pair_attachments.c.pair_id.in_([pair.id for pair in pairs])
    )
    volume_ids = {volume_id for pair in pairs for volume_id in (pair.source_volume_id, pair.target_volume_id)}
    found = await rows.select(connection, Volume, SYSTEM, tables.volumes.c.id.in_(volume_ids))
    volumes = {volume.id: volume for volume in found}
    stations = await _stations(connection, {pair.group_id for pair in pairs})
    by_pair = _grouped(attached, "pair_id")
    return [
        PairView(
            pair=pair,
            station=stations[pair.group_id],
            attachments=by_pair[pair.id],
            volume=volumes.get(pair.source_volume_id) or volumes.get(pair.target_volume_id),
        )
        for pair in pairs
    ]


async def view_drills(connection: Connection, drills: Sequence[Drill]) -> list[DrillView]:
    """Return the drills with their servers."""
    servers = await rows.select(
        connection, DrillServer, SYSTEM, tables.drill_servers.c.drill_id.in_([drill.id for drill in drills])
    )
    by_drill = _grouped(servers, "drill_id")
    return [DrillView(drill=drill, servers=by_drill[drill.id]) for drill in drills]
