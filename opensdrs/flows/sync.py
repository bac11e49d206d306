"""Replication as the control plane sees it: start it, follow it, and tell the witness, in the order that is safe.

`record_in_sync` needs a proof that was obtained after the register was read: the register is read first, then the site
is asked, then the register is written by compare-and-set (rules 1 and 3 of `domain/witness.py`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opensdrs.domain import witness as rules
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import GroupId, PairId, SiteName
from opensdrs.domain.model import Pair
from opensdrs.domain.statuses import FaultLevel, ReplicationStatus
from opensdrs.domain.witness import Copy, Witness
from opensdrs.flows.context import Picture, look
from opensdrs.flows.room import ensure_room
from opensdrs.sites.base import Site
from opensdrs.sites.model import GroupReport, Mode, PairReport, PairState
from opensdrs.store import rows, witness
from opensdrs.store.database import Database

# A pair in one of these states is not behind: writes reach both sites or wait.
_SHOWS_AS: Mapping[PairState, ReplicationStatus] = {
    PairState.OFF: ReplicationStatus.ACTIVE_STOPPED,
    PairState.COPYING: ReplicationStatus.COPYING,
    PairState.IN_SYNC: ReplicationStatus.ACTIVE,
    PairState.SUSPENDED: ReplicationStatus.ACTIVE,
    PairState.WAITING: ReplicationStatus.ACTIVE,
    PairState.DEGRADED: ReplicationStatus.ACTIVE_STOPPED,
    PairState.RECORDING: ReplicationStatus.ACTIVE_STOPPED,
    PairState.REPLICA: ReplicationStatus.ACTIVE,
    PairState.BROKEN: ReplicationStatus.ACTIVE_STOPPED,
}
_LINK_FAULTS = frozenset({PairState.WAITING, PairState.DEGRADED})


def percent(pair: PairReport) -> int:
    """How much of a pair is at the peer; 100 only when it is in sync."""
    if pair.state is PairState.IN_SYNC:
        return 100
    if pair.total_bytes <= 0:
        return 0
    return min(99, pair.copied_bytes * 100 // pair.total_bytes)


def fault_of(pair: PairReport) -> FaultLevel:
    """The fault level that a pair's state means (5.6.3)."""
    if pair.state in _LINK_FAULTS:
        return FaultLevel.LINK_DOWN
    return FaultLevel.PRODUCTION_CANNOT_WRITE if pair.state is PairState.BROKEN else FaultLevel.NONE


def news(picture: Picture, report: GroupReport) -> dict[PairId, dict[str, Any]]:
    """What the production site reports of pairs (not their status) and their rows do not say yet."""
    known = {pair.id: pair for pair in picture.pairs}
    found: dict[PairId, dict[str, Any]] = {}
    for pair in report.pairs:
        shown = {
            "progress": percent(pair),
            "replication_status": _SHOWS_AS[pair.state],
            "fault_level": fault_of(pair),
            "total_bytes": pair.total_bytes,
            "copied_bytes": pair.copied_bytes,
            "sent_bytes": pair.sent_bytes,
        }
        row = known.get(pair.pair_id)
        if row is not None and any(getattr(row, name) != value for name, value in shown.items()):
            found[pair.pair_id] = shown
    return found


async def ensure_renewed(database: Database, group_id: GroupId, epoch: int) -> None:
    """Begin the epoch after `epoch`, unless that was done before."""
    await witness.change(
        database, group_id, lambda seen: rules.renew(seen, epoch, time.time()) if seen.epoch == epoch else seen
    )


async def record_syncing(database: Database, group_id: GroupId, epoch: int) -> None:
    """Tell the witness that a copy begins."""
    await _record(
        database, group_id, lambda seen: rules.record_syncing(seen, epoch, time.time()), ReplicationStatus.COPYING
    )


async def record_stale(database: Database, group_id: GroupId, epoch: int) -> None:
    """Rule 1: durable before the production site lets a write go on alone."""
    await _record(
        database, group_id, lambda seen: rules.record_stale(seen, epoch, time.time()), ReplicationStatus.ACTIVE_STOPPED
    )


async def _record(
    database: Database, group_id: GroupId, transition: Callable[[Witness], Witness], shows_as: ReplicationStatus
) -> None:
    """The register and what people see of it change together: no pair is `active` while a failover is refused."""
    async with database.write() as connection:
        picture = await look(connection, group_id)
        await witness.write(connection, group_id, picture.witness, transition(picture.witness))
        for pair in picture.replicated():
            await rows.update(connection, Pair, pair.id, replication_status=shows_as)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the production site said, and whether the witness now holds `in_sync` because of it."""

    report: GroupReport
    is_recorded: bool


async def prove(database: Database, group_id: GroupId, site: Site) -> Proof:
    """Read the register, ask the production site, and record `in_sync` if the answer proves it.

    Not recorded when someone else moved the register meanwhile: the caller asks again.
    """
    picture = await refresh(database, group_id)
    seen = picture.witness
    report = await site.get_group(group_id)
    is_complete = {pair.id for pair in picture.replicated()} <= {pair.pair_id for pair in report.pairs}
    is_proof = report.is_in_sync and is_complete and report.epoch == seen.epoch
    to_record = is_proof and seen.copy is not Copy.IN_SYNC
    to_show = news(picture, report)
    if not to_record and not to_show:  # most looks find nothing new: then nothing is written
        return Proof(report=report, is_recorded=is_proof)
    async with database.write() as connection:
        if (await witness.read(connection, group_id)).revision != seen.revision:
            return Proof(report=report, is_recorded=False)
        for pair_id, values in to_show.items():
            await rows.update(connection, Pair, pair_id, **values)
        if to_record:
            await witness.write(connection, group_id, seen, rules.record_in_sync(seen, report.epoch, time.time()))
    return Proof(report=report, is_recorded=is_proof)


async def ensure_mirroring(
    database: Database,
    sites: Mapping[SiteName, Site],
    picture: Picture,
    *,
    identical: bool = False,
) -> None:
    """Start or resume replication from production to DR: the replica first, then the mirror.

    The witness learns of the copy before it starts; with `identical` copies there is none.
    """
    group, production = picture.group, picture.production
    await sites[group.dr_site].ensure_group(picture.spec(production.other, Mode.REPLICA))
    await ensure_room(database, sites[group.dr_site], picture)
    if not identical:
        await record_syncing(database, group.id, picture.witness.epoch)
    await sites[group.production_site].ensure_group(picture.spec(production, Mode.MIRROR, identical=identical))


async def refresh(database: Database, group_id: GroupId) -> Picture:
    """Look at a group in a transaction of its own."""
    async with database.read() as connection:
        return await look(connection, group_id)


def check_unbroken(site: Site, report: GroupReport) -> None:
    """Raises: SiteFault when a pair of the report needs to be set up again."""
    broken = [pair for pair in report.pairs if pair.state is PairState.BROKEN]
    if broken:
        raise SiteFault(site.name, "mirror", Cause.FAILED, broken[0].detail or f"pair {broken[0].pair_id} is broken")
