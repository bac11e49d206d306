"""Instances and pairs that lost a server or a disk are `invalid`, and are not any more when it is back.

Level-triggered: what the rows and the sites say now is compared with the statuses, whatever happened in between. A
look costs two queries while all is well. Source: API reference, A.3, A.4; the constraints of 5.4.8 and 5.4.9.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from opensdrs.domain import witness as rules
from opensdrs.domain.errors import SiteFault
from opensdrs.domain.ids import GroupId, SiteName
from opensdrs.domain.infrastructure import ServerStatus, VolumeStatus
from opensdrs.domain.model import Instance, Pair
from opensdrs.domain.statuses import InstanceStatus
from opensdrs.domain.witness import Copy
from opensdrs.sites.base import Site
from opensdrs.store import rows, witness
from opensdrs.store.database import Connection, Database
from opensdrs.store.tables import groups, instances, pairs, servers, volumes

_log = logging.getLogger(__name__)
_CALL_S = 15.0
_INVALID = InstanceStatus.INVALID.value
# In these statuses everything must be there. A creation that failed, and a deletion, leave gaps on purpose.
_AT_REST = frozenset({
    "available", "protected", "failed-over", "fault", "error-starting", "error-stopping", "error-reversing",
    "error-failing-over", "error-reprotecting", "error-resizing", "error-extending",
})  # fmt: skip
_SETTLED_SERVERS = (ServerStatus.ACTIVE, ServerStatus.SHUTOFF)
_SETTLED_VOLUMES = (VolumeStatus.AVAILABLE, VolumeStatus.IN_USE)


@dataclass(frozen=True, slots=True)
class Finding:
    """An instance or a pair whose status is not what its parts say."""

    kind: type[Instance] | type[Pair]
    row_id: str
    group_id: GroupId
    status: str


async def absent_at(database: Database, site: Site) -> frozenset[str]:
    """Return the servers and disks of instances and pairs that the rows place at the site and the site does not have.

    The rows are read first: what is created or deleted meanwhile is not in them any more or in the report already.
    Raises: SiteFault.
    """
    async with database.read() as connection:
        expected = {
            *await _ids(connection, servers, _SETTLED_SERVERS, site.name, instances.c.source_server_id),
            *await _ids(connection, servers, _SETTLED_SERVERS, site.name, instances.c.target_server_id),
            *await _ids(connection, volumes, _SETTLED_VOLUMES, site.name, pairs.c.source_volume_id),
            *await _ids(connection, volumes, _SETTLED_VOLUMES, site.name, pairs.c.target_volume_id),
        }
    async with asyncio.timeout(_CALL_S):
        report = await site.describe()
    present = {server.server_id for server in report.servers} | {volume.volume_id for volume in report.volumes}
    return frozenset(expected - present)


async def _ids(
    connection: Connection, table: sa.Table, settled: Collection[str], site: SiteName, user: sa.Column[str]
) -> list[str]:
    query = sa.select(table.c.id).join(user.table, user == table.c.id)
    query = query.where(table.c.site == site, table.c.status.in_(settled))
    return [row[0] for row in await connection.execute(query)]


async def look_at_sites(database: Database, sites: Mapping[SiteName, Site]) -> dict[SiteName, frozenset[str]]:
    """Return what is absent at every site that answers."""
    found: dict[SiteName, frozenset[str]] = {}
    for name, site in sites.items():
        try:
            found[name] = await absent_at(database, site)
        except (SiteFault, TimeoutError) as error:
            _log.info("watch.site.later", extra={"site": name, "reason": str(error)})
    return found


async def show_invalid(database: Database, absent: Mapping[SiteName, frozenset[str]]) -> list[Finding]:
    """Bring the statuses in line with what is there; return what was changed.

    `absent`: what each site lacks. What is at a site that nobody has looked at yet keeps its status.
    """
    async with database.read() as connection:
        wrong = [
            *await _wrong(connection, Instance, instances, servers, ("source_server_id", "target_server_id"), absent),
            *await _wrong(connection, Pair, pairs, volumes, ("source_volume_id", "target_volume_id"), absent),
        ]
    if not wrong:
        return []
    async with database.write() as connection:
        changed = [finding for finding in wrong if await _settle(connection, finding)]
    for finding in changed:
        _log.warning("part.invalid" if finding.status == _INVALID else "part.sound", extra={
            "kind": finding.kind.__name__, "id": finding.row_id, "group_id": finding.group_id,
        })  # fmt: skip
    return changed


async def _wrong(
    connection: Connection,
    kind: type[Instance] | type[Pair],
    table: sa.Table,
    parts: sa.Table,
    columns: tuple[str, str],
    absent: Mapping[SiteName, frozenset[str]],
) -> list[Finding]:
    """Return the instances or pairs whose status is wrong. `columns` name their two parts."""
    source, target = parts.alias("source"), parts.alias("target")
    missing = frozenset().union(*absent.values())
    lacking = sa.or_(
        source.c.id.is_(None), target.c.id.is_(None), source.c.id.in_(missing), target.c.id.in_(missing)
    )  # fmt: skip
    query = (
        sa.select(table.c.id, table.c.group_id, groups.c.status.label("group_status"), lacking.label("lacking"),
                  table.c.status, source.c.site.label("source_site"), target.c.site.label("target_site"))
        .select_from(
            table.join(groups, groups.c.id == table.c.group_id)
            .outerjoin(source, source.c.id == table.c[columns[0]])
            .outerjoin(target, target.c.id == table.c[columns[1]])
        )
        .where(sa.or_(table.c.status == _INVALID, sa.and_(table.c.status.in_(_AT_REST), lacking)))
    )  # fmt: skip
    found = []
    for row in (await connection.execute(query)).mappings():
        if not row["lacking"]:
            if {row["source_site"], row["target_site"]} <= absent.keys():  # both sites have been looked at
                found.append(Finding(kind, row["id"], row["group_id"], _rest(row["group_status"])))
        elif row["status"] != _INVALID:
            found.append(Finding(kind, row["id"], row["group_id"], _INVALID))
    return found


def _rest(group_status: str) -> str:
    """Where a sound part of a group in this status rests; a pending operation on the group settles it anyway."""
    is_shared = group_status in _AT_REST and group_status not in ("fault", "error-resizing", "error-extending")
    return group_status if is_shared else InstanceStatus.AVAILABLE.value


async def _settle(connection: Connection, finding: Finding) -> bool:
    """Set the status by compare-and-set. A pair that comes back has missed writes: the witness learns first."""
    allowed = _AT_REST if finding.status == _INVALID else {_INVALID}
    if finding.kind is Pair and finding.status != _INVALID:
        seen = await witness.read(connection, finding.group_id)
        if seen.copy is not Copy.STALE:
            await witness.write(
                connection, finding.group_id, seen, rules.record_stale(seen, seen.epoch, time.time())
            )  # fmt: skip
    return await rows.move(
        connection, finding.kind, finding.row_id, allowed, finding.status, updated_at=time.time()
    )  # fmt: skip
