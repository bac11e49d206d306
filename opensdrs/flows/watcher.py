"""The watcher: keeps every group's replication, witness and rows in step with what the sites report.

Level-triggered: `tend` looks at a group and does what its state asks for; events of the sites and a slow sweep only
say when to look. It never decides a failover. Rule 1 lives here: the witness holds `stale` before a production site
is told to let writes go on alone.
"""

import asyncio
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Mapping

from opensdrs.domain import operations
from opensdrs.domain.errors import SiteFault, Superseded
from opensdrs.domain.ids import GroupId, PairId, SiteName
from opensdrs.domain.model import Group
from opensdrs.domain.statuses import GroupStatus, PairStatus
from opensdrs.flows import sync
from opensdrs.flows.context import Picture, look
from opensdrs.flows.reconcile import reconcile_servers, show_faults, show_silence
from opensdrs.flows.soundness import look_at_sites, show_invalid
from opensdrs.sites.base import Site
from opensdrs.sites.model import EventKind, GroupReport, Mode, PairState
from opensdrs.store import rows
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM
from opensdrs.store.witness import WitnessMoved

_log = logging.getLogger(__name__)
_WATCH_S = 20.0
_SWEEP_S = 3.0
_CALL_S = 15.0
_SILENCE_S = 10.0  # longer than an agent takes to start again
_PAUSE_S = 0.5
_SWEEPS_PER_LOOK = 10  # rows are cheap to compare, a site's whole inventory is not
_SETTLED_WITH_MIRROR = frozenset({GroupStatus.PROTECTED, GroupStatus.ERROR_STOPPING})


class Watcher:
    """One task per site follows its events; one sweeps."""

    def __init__(self, database: Database, sites: Mapping[SiteName, Site], *, silence_s: float = _SILENCE_S) -> None:
        self._database = database
        self._sites = sites
        self._locks: dict[GroupId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._absent: dict[SiteName, frozenset[str]] = {}
        self._silent_since: dict[GroupId, float] = {}
        self._silence_s = silence_s
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to watch."""
        self._tasks = [
            asyncio.create_task(self._follow(site), name=f"watch.{name}") for name, site in self._sites.items()
        ]
        self._tasks.append(asyncio.create_task(self._sweep(), name="watch.sweep"))

    async def close(self) -> None:
        """Stop watching; the sites go on by themselves, waiting writes wait."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, site: Site) -> None:
        run_id, seq = "", 0
        while True:
            try:
                async with asyncio.timeout(_WATCH_S + _CALL_S):
                    batch = await site.watch(run_id, seq, _WATCH_S)
            except (SiteFault, TimeoutError):
                await asyncio.sleep(_PAUSE_S)
                continue
            is_new_run = batch.run_id != run_id
            run_id, seq = batch.run_id, batch.next_seq - 1
            groups = {event.group_id for event in batch.events if event.group_id is not None}
            concerns_servers = {EventKind.SERVER_STOPPED, EventKind.SERVER_PAUSED}
            if is_new_run:
                _log.info("site.run", extra={"site": site.name, "run_id": run_id})
                groups |= await self._groups_of(site.name)
            for group_id in groups:
                await self._guarded(group_id)
            if is_new_run or any(event.kind in concerns_servers for event in batch.events):
                await self._servers(site)

    async def _sweep(self) -> None:
        for count in itertools.count():
            await asyncio.sleep(_SWEEP_S)
            await self.check_soundness(ask_sites=count % _SWEEPS_PER_LOOK == 0)
            async with self._database.read() as connection:
                groups = await rows.select(connection, Group, SYSTEM)
            for group in groups:
                await self._guarded(group.id)

    async def check_soundness(self, *, ask_sites: bool) -> None:
        """Show which instances and pairs lost a server or a disk. A site that is silent lacks what it lacked before."""
        if ask_sites:
            self._absent |= await look_at_sites(self._database, self._sites)
        try:
            await show_invalid(self._database, self._absent)
        except WitnessMoved as error:
            _log.info("watch.soundness.later", extra={"reason": str(error)})

    async def _groups_of(self, site: SiteName) -> set[GroupId]:
        async with self._database.read() as connection:
            groups = await rows.select(connection, Group, SYSTEM)
        return {group.id for group in groups if site in (group.source_site, group.target_site)}

    async def _servers(self, site: Site) -> None:
        try:
            async with asyncio.timeout(_CALL_S):
                await reconcile_servers(self._database, site)
        except (SiteFault, TimeoutError) as error:
            _log.warning("watch.servers.failed", extra={"site": site.name, "reason": str(error)})

    async def _guarded(self, group_id: GroupId) -> None:
        """Tend one group; what fails is tried again by the next event or sweep."""
        try:
            async with self._locks[group_id], asyncio.timeout(_CALL_S):
                await self.tend(group_id)
        except (SiteFault, TimeoutError, WitnessMoved, Superseded) as error:
            _log.info("watch.group.later", extra={"group_id": group_id, "reason": f"{type(error).__name__}: {error}"})
        except KeyError:
            self._locks.pop(group_id, None)  # the group was deleted meanwhile
            self._silent_since.pop(group_id, None)

    async def tend(self, group_id: GroupId) -> None:
        """Look at one group and do what its state asks for."""
        async with self._database.read() as connection:
            picture = await look(connection, group_id)
        if picture.group.status is GroupStatus.FAILED_OVER:
            await self._reopen(picture)
            return
        is_settled = picture.group.status in _SETTLED_WITH_MIRROR
        if not is_settled and not operations.is_pending(picture.group.status):
            return
        site = self._sites[picture.group.production_site]
        try:
            report = await site.get_group(group_id)
        except SiteFault as fault:
            if is_settled and fault.is_transient:
                await self._bear_silence(picture)
            raise
        self._silent_since.pop(group_id, None)
        if report.epoch != picture.witness.epoch:
            return
        if report.mode is Mode.MIRROR:
            report = await self._follow_link(picture, site, report)
        if is_settled:
            await self._keep(picture, site, report)

    async def _bear_silence(self, picture: Picture) -> None:
        """A production site that is silent for a moment may be starting; one that stays silent is at fault."""
        now = time.monotonic()
        if now - self._silent_since.setdefault(picture.group.id, now) >= self._silence_s:
            await show_silence(self._database, picture)

    async def _follow_link(self, picture: Picture, site: Site, report: GroupReport) -> GroupReport:
        states = {pair.state for pair in report.pairs}
        epoch = picture.witness.epoch
        if PairState.WAITING in states and report.link_up is False:
            await sync.record_stale(self._database, picture.group.id, epoch)
            _log.warning("group.degraded", extra={"group_id": picture.group.id, "site": site.name, "epoch": epoch})
            return await site.degrade(picture.group.id, epoch, report.incident)
        if PairState.DEGRADED in states and report.link_up:
            _log.info("group.resumed", extra={"group_id": picture.group.id, "site": site.name, "epoch": epoch})
            await sync.ensure_mirroring(self._database, self._sites, picture)
            return await site.get_group(picture.group.id)
        return report

    async def _keep(self, picture: Picture, site: Site, report: GroupReport) -> None:
        """A protected group mirrors; where it does not (its site was restarted), it is made to again."""
        is_mirroring = report.mode is Mode.MIRROR and not any(
            pair.state in (PairState.BROKEN, PairState.OFF) for pair in report.pairs
        )
        if is_mirroring and not await self._has_stray(report) and not await self._lacks_pair(picture, report):
            report = (await sync.prove(self._database, picture.group.id, site)).report
        else:
            await self._repair(picture, site)
            report = await site.get_group(picture.group.id)
        await show_faults(self._database, picture, report)

    async def _has_stray(self, report: GroupReport) -> bool:
        """Whether writes to a pair wait though no job extends it any more: one that failed left it so.

        The statuses are read after the report: a pair is `extending` before it is suspended, and until it no longer is.
        """
        suspended = {pair.pair_id for pair in report.pairs if pair.state is PairState.SUSPENDED}
        if not suspended:
            return False
        picture = await sync.refresh(self._database, report.group_id)
        return bool(suspended - {pair.id for pair in picture.pairs if pair.status is PairStatus.EXTENDING})

    async def _lacks_pair(self, picture: Picture, report: GroupReport) -> bool:
        """Whether a pair at rest takes part and the site does not know it: one that was `invalid` until now."""
        reported = {pair.pair_id for pair in report.pairs}
        if _settled_pairs(picture) <= reported:
            return False
        now = await sync.refresh(self._database, report.group_id)  # the pair may have been deleted meanwhile
        return not _settled_pairs(now) <= reported

    async def _repair(self, picture: Picture, site: Site) -> None:
        epoch = picture.witness.epoch
        await sync.record_stale(self._database, picture.group.id, epoch)
        _log.warning("group.repair", extra={"group_id": picture.group.id, "site": site.name, "epoch": epoch})
        try:
            await sync.ensure_mirroring(self._database, self._sites, picture)
        except SiteFault as fault:
            # Production goes on without its peer, which is recorded as stale; the next sweep tries again.
            _log.warning("group.alone", extra={"group_id": picture.group.id, "reason": str(fault)})
            await site.ensure_group(picture.spec(picture.production, Mode.RECORD))
        await reconcile_servers(self._database, site)

    async def _reopen(self, picture: Picture) -> None:
        """After a failover the production site works alone; if it was restarted, its copies are opened again."""
        site = self._sites[picture.group.production_site]
        report = await site.get_group(picture.group.id)
        if report.epoch == picture.witness.epoch and any(
            pair.state is not PairState.RECORDING for pair in report.pairs
        ):
            await site.ensure_group(picture.spec(picture.production, Mode.RECORD))
            await reconcile_servers(self._database, site)


def _settled_pairs(picture: Picture) -> set[PairId]:
    return {pair.id for pair in picture.replicated() if not operations.is_pending(pair.status)}
