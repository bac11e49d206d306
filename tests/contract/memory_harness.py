"""Two emulated sites."""

from types import TracebackType
from typing import Self

from opensdrs.domain.ids import VolumeId
from opensdrs.sites.base import Site
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.memory_group import MemoryPace
from opensdrs.sites.memory_link import MemoryLink
from tests.contract.harness import IMAGE_BYTES, IMAGE_NAME


class MemoryHarness:
    """`az1` and `az2` on one link."""

    has_servers = False

    def __init__(self, pace: MemoryPace | None = None) -> None:
        self.link = MemoryLink()
        self.sites = {
            name: MemorySite(name, self.link, images={IMAGE_NAME: IMAGE_BYTES}, pace=pace) for name in ("az1", "az2")
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for site in self.sites.values():
            await site.close()

    def site(self, name: str) -> Site:
        return self.sites[name]

    async def write(self, site: str, volume_id: VolumeId, offset: int, data: bytes) -> None:
        await self.sites[site].write(volume_id, offset, data)

    async def read_copy(self, site: str, volume_id: VolumeId, offset: int, length: int) -> bytes:
        return await self.sites[site].read_copy(volume_id, offset, length)

    async def cut_link(self) -> None:
        self.link.cut()

    async def restore_link(self) -> None:
        self.link.restore()

    async def crash(self, site: str) -> None:
        self.sites[site].crash()

    async def restart(self, site: str) -> None:
        self.sites[site].restart()

    async def restart_agent(self, site: str) -> None:
        self.sites[site].restart_agent()
