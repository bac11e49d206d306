"""May the DR site take over? The copy must be complete, unless an earlier try has already handed the group over."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opensdrs.domain.errors import refused
from opensdrs.domain.model import Group, Job
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import GroupStatus, JobStatus, Station
from opensdrs.domain.witness import Copy, Witness
from opensdrs.services.lookup import read_register
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM

_INTERRUPTED = {GroupStatus.ERROR_FAILING_OVER, GroupStatus.ERROR_REVERSING}
_HANDOVERS = (JobType.FAILOVER_GROUP, JobType.REVERSE_GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """From which station, and in which epoch, a group is handed over; `is_resumed`: the pivot lies behind."""

    from_station: Station
    epoch: int
    is_resumed: bool

    @property
    def params(self) -> dict[str, Any]:
        """What the flow needs to know."""
        return {"from_station": self.from_station.value, "epoch": self.epoch}


async def handover(connection: Connection, group: Group) -> Handover:
    """Return the handover to do, or to continue.

    After an interrupted try whose pivot was passed, the same one goes on (never back). Raises: SDRS.1015; SDRS.1601,
    SDRS.1830 unless the copy at the DR site is complete.
    """
    register = await read_register(connection, group)
    if group.status in _INTERRUPTED:
        interrupted = await _last_failed(connection, group)
        if interrupted is not None and register.epoch == interrupted.params["epoch"] + 1:
            return Handover(
                from_station=Station(interrupted.params["from_station"]),
                epoch=interrupted.params["epoch"],
                is_resumed=True,
            )
    check_in_sync(register)
    return Handover(from_station=group.priority_station, epoch=register.epoch, is_resumed=False)


async def _last_failed(connection: Connection, group: Group) -> Job | None:
    where = [
        tables.jobs.c.resource_id == group.id,
        tables.jobs.c.job_type.in_(_HANDOVERS),
        tables.jobs.c.status == JobStatus.FAIL,
        tables.jobs.c.parent_id.is_(None),
    ]
    found, _ = await rows.page(connection, Job, SYSTEM, where, limit=1, order="begin_time")
    return found[0] if found else None


def check_in_sync(register: Witness) -> None:
    """Raises: SDRS.1830 while a copy runs, SDRS.1601 while acknowledged writes may be missing at the DR site."""
    since = datetime.fromtimestamp(register.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    match register.copy:
        case Copy.IN_SYNC:
            return
        case Copy.SYNCING:
            raise refused(
                "SDRS.1830",
                f"the DR site has been receiving a copy since {since} and is not consistent yet",
                remedy="Wait until every pair shows replication_status active, then try again.",
            )
        case Copy.STALE:
            raise refused(
                "SDRS.1601",
                f"since {since} the DR site may lack writes that the production site acknowledged",
                remedy="Restore the link between the sites, wait until every pair shows replication_status active, "
                "then try again.",
            )
