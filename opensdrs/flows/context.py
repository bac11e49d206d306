"""What a step works with: the job, the rows around it, and the two sites."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId, JobId, SiteName
from opensdrs.domain.model import Group, Instance, Job, Pair, PairAttachment
from opensdrs.domain.statuses import PairStatus, Station
from opensdrs.domain.witness import Witness
from opensdrs.sites.base import Site
from opensdrs.sites.model import GroupSpec, Mode, PairSpec
from opensdrs.store import rows, witness
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import instances, pair_attachments, pairs

# A pair whose DR volume does not exist for certain, or whose volumes are gone, takes no part in replication.
_NOT_REPLICATED = frozenset({PairStatus.CREATING, PairStatus.ERROR, PairStatus.DELETING, PairStatus.INVALID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One consistent look at a group and everything in it."""

    group: Group
    witness: Witness
    instances: tuple[Instance, ...]
    pairs: tuple[Pair, ...]
    attachments: tuple[PairAttachment, ...]

    def replicated(self) -> list[Pair]:
        """Return the pairs that take part in replication."""
        return [pair for pair in self.pairs if pair.status not in _NOT_REPLICATED]

    def spec(
        self,
        station: Station,
        mode: Mode,
        *,
        epoch: int | None = None,
        identical: bool = False,
    ) -> GroupSpec:
        """Return what the site created as `station` shall do; the epoch is the witness's unless given."""
        return GroupSpec(
            group_id=self.group.id,
            epoch=self.witness.epoch if epoch is None else epoch,
            mode=mode,
            peer=self.group.site_of(station.other),
            pairs=tuple(
                PairSpec(pair_id=pair.id, volume_id=pair.volume_at(station), identical=identical)
                for pair in self.replicated()
            ),
            link_timeout_s=self.group.link_timeout_s,
        )

    @property
    def production(self) -> Station:
        """Which site runs the servers now."""
        return self.group.priority_station


async def look(connection: Connection, group_id: GroupId) -> Picture:
    """Load the picture of a group. Raises: RowMissing."""
    group = await rows.get(connection, Group, group_id)
    members = await rows.select(connection, Instance, SYSTEM, instances.c.group_id == group_id)
    attached = (
        await rows.select(
            connection,
            PairAttachment,
            SYSTEM,
            pair_attachments.c.instance_id.in_([member.id for member in members]),
        )
        if members
        else []
    )
    return Picture(
        group=group,
        witness=await witness.read(connection, group_id),
        instances=tuple(members),
        pairs=tuple(await rows.select(connection, Pair, SYSTEM, pairs.c.group_id == group_id)),
        attachments=tuple(attached),
    )


class Configured(dict[SiteName, Site]):
    """The sites by name. Raises: SDRS.0012 for one that a group names and the configuration does not."""

    def __missing__(self, name: SiteName) -> Site:
        raise refused("SDRS.0012", f"site {name} is not configured", remedy="Ask the operator to configure it again.")


class Context:
    """A job at work. Rows are read anew by every step: a step may run again much later."""

    def __init__(self, job: Job, database: Database, sites: Mapping[SiteName, Site]) -> None:
        self.job = job
        self.database = database
        self.sites: Mapping[SiteName, Site] = Configured(sites)

    @property
    def group_id(self) -> GroupId:
        """The group that the job belongs to, or is about."""
        return self.job.group_id or GroupId(self.job.resource_id)

    def param(self, name: str) -> Any:
        """Return a parameter of the job that admission always sets."""
        return self.job.params[name]

    async def picture(self) -> Picture:
        """Look at the group now. Raises: SDRS.0403."""
        try:
            async with self.database.read() as connection:
                return await look(connection, self.group_id)
        except rows.RowMissing as error:
            raise refused("SDRS.0403", f"{error}") from error

    def site(self, name: SiteName) -> Site:
        """Return a site's driver."""
        return self.sites[name]

    def site_at(self, picture: Picture, station: Station) -> Site:
        """Return the driver of the site created as `station`."""
        return self.sites[picture.group.site_of(station)]

    async def progress(self, percent: int) -> None:
        """Show how far the job is; never backwards, never complete before it settled."""
        async with self.database.write() as connection:
            job = await rows.get(connection, Job, self.job.id)
            await rows.update(connection, Job, self.job.id, progress=max(job.progress, min(99, percent)))

    @staticmethod
    def now() -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    @property
    def job_id(self) -> JobId:
        """The job's id."""
        return self.job.id
