"""The demo's story, step by step, each through the public HTTP API as any client would do it."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime

from opensdrs.lab.api import Api, Json
from opensdrs.lab.audit import Audit, audit
from opensdrs.lab.layout import DOMAIN_ID, SITES
from opensdrs.lab.ledger import Check, Recorder, find_check
from opensdrs.lab.processes import LabError, Processes
from opensdrs.lab.screen import Screen, mib
from opensdrs.lab.seed import LedgerServer, create_ledger_server, ensure_network

_BOOT_S = 90.0
_WRITING_S = 3.0
_POLL_S = 0.05


@dataclass(slots=True)
class Outcome:
    """What the story measured; times in seconds, sizes in bytes."""

    audits: dict[str, Audit] = field(default_factory=dict)
    drill: Check | None = None
    rto_running_s: float = 0.0
    rto_writing_s: float = 0.0
    copied_bytes: int = 0
    resent_bytes: int = 0
    disk_bytes: int = 0

    @property
    def lost(self) -> int:
        """Acknowledged writes that were not found, over the whole story."""
        return sum(found.lost for found in self.audits.values())


class Story:
    """One run. `outcome` fills up as the story goes."""

    def __init__(self, api: Api, processes: Processes, screen: Screen) -> None:
        self._api = api
        self._processes = processes
        self._screen = screen
        self.outcome = Outcome()
        self._ledger: LedgerServer
        self._recorder: Recorder
        self._group_id = ""

    async def tell(self) -> None:
        """Tell it all. Raises: one of `TROUBLE` where the story breaks off."""
        await self._boot()
        try:
            await self._protect()
            await self._lose_site()
            await self._reprotect()
            await self._drill()
            await self._return_home()
        finally:
            await self._recorder.stop()

    async def _boot(self) -> None:
        screen = self._screen
        screen.step(f"A production server boots in {SITES[0]}")
        network = await ensure_network(self._api)
        began = time.monotonic()
        self._ledger = await create_ledger_server(self._api, network)
        self._recorder = Recorder(self._ledger.address, self._ledger.port)
        self._recorder.start()
        with screen.bar("booting Linux"):
            first = await self._recorder.wait_for(1, _BOOT_S)
        screen.fact("a system disk and a data disk of 1 GiB each; a ledger that numbers its writes")
        screen.fact(f"first durable write acknowledged after {first - began:.1f} s, over its elastic IP")

    async def _protect(self) -> None:
        screen = self._screen
        screen.step(f"Protect it: {SITES[0]} to {SITES[1]}, synchronously")
        server = await self._api.infra("GET", f"/servers/{self._ledger.server_id}")
        group = {
            "name": "demo", "source_availability_zone": SITES[0], "target_availability_zone": SITES[1],
            "domain_id": DOMAIN_ID, "source_vpc_id": server["vpc_id"], "dr_type": "migration",
        }  # fmt: skip
        job = await self._api.finish(await self._api.sdrs("POST", "/server-groups", {"server_group": group}))
        self._group_id = job["entities"]["server_group_id"]
        screen.fact(f"protection group {self._group_id}")
        instance = {"server_group_id": self._group_id, "server_id": self._ledger.server_id, "name": "ledger"}
        with screen.bar("creating the protected instance") as bar:
            created = await self._api.sdrs("POST", "/protected-instances", {"protected_instance": instance})
            await self._api.finish(created, bar.follow)
        pairs = await self._pairs()
        screen.fact(f"DR server and {len(pairs)} DR disks created, one replication pair for every disk")
        await self._start("first synchronisation")
        pairs = await self._pairs()
        self._expect_active(pairs)
        self.outcome.copied_bytes = _sum(pairs, "sent_bytes")
        self.outcome.disk_bytes = _sum(pairs, "total_bytes")
        screen.fact(f"protected, pairs active, 100 %; {mib(self.outcome.copied_bytes)} sent while it went on writing")

    async def _start(self, what: str) -> None:
        with self._screen.bar(what) as bar:
            job = await self._api.operate(self._group_id, "start-server-group")
            waiting = asyncio.create_task(self._api.finish(job))
            while not waiting.done():
                pairs = await self._pairs()
                done, total = _sum(pairs, "copied_bytes"), max(1, _sum(pairs, "total_bytes"))
                bar.show(done * 100 / total, f"{mib(done)} of {mib(total)}")
                await asyncio.wait({waiting}, timeout=_POLL_S)
            waiting.result()
            bar.show(100, "in sync")

    async def _lose_site(self) -> None:
        screen, recorder = self._screen, self._recorder
        screen.step(f"Disaster: {SITES[0]} loses its power in the middle of the writing")
        with screen.bar("writing") as bar:
            until = time.monotonic() + _WRITING_S
            while (left := until - time.monotonic()) > 0:
                bar.show((1 - left / _WRITING_S) * 100, f"{len(recorder.acknowledged):,} acknowledged")
                await asyncio.sleep(_POLL_S)
        killed = await self._processes.cut_power(SITES[0])
        acknowledged = frozenset(recorder.acknowledged)
        screen.fact(f"SIGKILL to all {killed} processes at once: agent, storage daemons, relay, server")
        screen.step(f"Failover to {SITES[1]}")
        began_at, began = time.time(), time.monotonic()
        with screen.bar("failover") as bar:
            await self._api.finish(await self._api.operate(self._group_id, "failover-server-group"), bar.follow)
        self.outcome.rto_running_s = await self._started_at() - began_at
        with screen.bar("booting from the replicated disks"):
            self.outcome.rto_writing_s = await recorder.wait_for(1, _BOOT_S, since=began) - began
        running = f"{self.outcome.rto_running_s:.2f} s"
        screen.fact(f"DR server running {running} after the request, with the same IP, MAC and EIP")
        screen.fact(f"first new acknowledged write {self.outcome.rto_writing_s:.1f} s after the request")
        await self._audit("failover", acknowledged)

    async def _started_at(self) -> float:
        """Seconds since the epoch at which the process of the server that runs now was started."""
        server = await self._running_server()
        return datetime.fromisoformat(server["started_at"]).timestamp()

    async def _running_server(self) -> Json:
        listed = await self._api.sdrs("GET", f"/protected-instances?server_group_id={self._group_id}")
        instance = listed["protected_instances"][0]
        which = "source_server" if instance["priority_station"] == "source" else "target_server"
        return await self._api.infra("GET", f"/servers/{instance[which]}")

    async def _audit(self, name: str, acknowledged: frozenset[int]) -> None:
        """Read the disk that production uses now from outside and look for every acknowledged record."""
        server = await self._running_server()
        data = next(volume for volume in server["volumes"] if volume["device"] == "/dev/vdb")
        access = await self._api.infra("GET", f"/volumes/{data['volume_id']}/uri")
        found = await audit(access["uri"], acknowledged)
        self.outcome.audits[name] = found
        self._screen.fact(f"acknowledged {found.acknowledged:,}, present {found.present:,}, lost {found.lost}")
        if found.lost:
            raise LabError(f"{found.lost} acknowledged writes are missing after the {name}: this must never happen")

    async def _reprotect(self) -> None:
        screen = self._screen
        screen.step(f"{SITES[0]} returns and is protected again, the other way round")
        self._processes.start_agent(SITES[0])
        await self._processes.wait_agent(SITES[0])
        await self._start("synchronising back")
        pairs = await self._pairs()
        self._expect_active(pairs)
        self.outcome.resent_bytes = _sum(pairs, "sent_bytes")
        screen.fact(f"protected, direction {SITES[1]} to {SITES[0]}")
        screen.fact(f"{mib(self.outcome.resent_bytes)} sent for disks of {mib(self.outcome.disk_bytes)}")

    async def _drill(self) -> None:
        screen, recorder = self._screen, self._recorder
        screen.step(f"DR drill in {SITES[0]}, while production goes on writing in {SITES[1]}")
        before = recorder.last
        body = {"disaster_recovery_drill": {"server_group_id": self._group_id, "name": "drill"}}
        with screen.bar("copying disks, starting isolated server") as bar:
            job = await self._api.finish(await self._api.sdrs("POST", "/disaster-recovery-drills", body), bar.follow)
        after = recorder.last
        drill_id = job["entities"]["disaster_recovery_drill_id"]
        drill = (await self._api.sdrs("GET", f"/disaster-recovery-drills/{drill_id}"))["disaster_recovery_drill"]
        with screen.bar("the drill server boots"):
            check = await self._console_check(drill["drill_servers"][0]["drill_server_id"])
        self.outcome.drill = check
        if check.bad or check.last < before:
            raise LabError(f"the drill's ledger is not that of its moment: {check}, acknowledged before it {before}")
        screen.fact(f"its ledger: {check.last:,} records, {check.bad} bad; acknowledged before the drill {before:,}")
        grown = recorder.last - after
        await self._api.finish(await self._api.sdrs("DELETE", f"/disaster-recovery-drills/{drill_id}"))
        screen.fact(f"drill removed; production wrote {grown:,} more records meanwhile")

    async def _console_check(self, server_id: str) -> Check:
        async with asyncio.timeout(_BOOT_S):
            while True:
                console = await self._api.infra("GET", f"/servers/{server_id}/console")
                found = find_check(console["output"])
                if found is not None:
                    return found
                await asyncio.sleep(_POLL_S * 4)

    async def _return_home(self) -> None:
        screen, recorder = self._screen, self._recorder
        screen.step(f"Planned failover back to {SITES[0]}")
        server = await self._running_server()
        with screen.bar("stopping the server"):
            await self._api.infra("POST", f"/servers/{server['id']}/stop", {})
        acknowledged = frozenset(recorder.acknowledged)
        with screen.bar("swapping the roles") as bar:
            job = await self._api.operate(self._group_id, "reverse-server-group", priority_station="source")
            await self._api.finish(job, bar.follow)
        group = (await self._api.sdrs("GET", f"/server-groups/{self._group_id}"))["server_group"]
        screen.fact(f"group {group['status']}, production {SITES[0]} again; nothing had to be copied")
        began = time.monotonic()
        with screen.bar("starting the server"):
            await self._api.infra("POST", f"/servers/{self._ledger.server_id}/start", {})
            await recorder.wait_for(1, _BOOT_S, since=began)
        await self._audit("planned failover", acknowledged)

    async def _pairs(self) -> list[Json]:
        listed = await self._api.sdrs("GET", f"/replications?server_group_id={self._group_id}")
        return list(listed["replications"])

    @staticmethod
    def _expect_active(pairs: list[Json]) -> None:
        for pair in pairs:
            if (pair["status"], pair["replication_status"], pair["progress"]) != ("protected", "active", 100):
                raise LabError(f"pair {pair['name']} is not protected: {pair}")


def _sum(pairs: list[Json], name: str) -> int:
    return sum(int(pair["synchronization"][name]) for pair in pairs)
