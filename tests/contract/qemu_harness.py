"""Two qemu sites on this host, with real storage daemons, relays with mutual TLS, and a cable that can be pulled."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from opensdrs.domain.ids import SiteName, VolumeId
from opensdrs.main.certificates import create_authority, write_site_bundle
from opensdrs.sites.qemu.cleanup import kill_everything
from opensdrs.sites.qemu.driver import QemuSite
from opensdrs.sites.qemu.graph import GUEST_EXPORT
from opensdrs.sites.qemu.settings import PeerAddress, QemuSiteSettings, RelayCertificates, short_name
from tests.contract.cable import Cable, free_port
from tests.contract.harness import IMAGE_BYTES, IMAGE_NAME
from tests.nbd import NbdClient

SITES = (SiteName("az1"), SiteName("az2"))
_SLOTS = 8


class QemuHarness:
    """`az1` and `az2`. The base directory is short, because unix sockets' paths must be."""

    has_servers = True

    def __init__(self, _tmp_path: Path | None = None) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="sdrs-", dir="/tmp"))
        self.cables: dict[SiteName, Cable] = {}  # by the site that they lead to
        self.settings: dict[SiteName, QemuSiteSettings] = {}
        self._sites: dict[SiteName, QemuSite] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._demolish()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._demolish()

    def site(self, name: str) -> QemuSite:
        return self._sites[SiteName(name)]

    def volume_file(self, site: str, volume_id: VolumeId) -> Path:
        return self.settings[SiteName(site)].volumes_dir / f"{volume_id}.raw"

    def gate(self, site: str, volume_id: VolumeId) -> Path:
        return self.settings[SiteName(site)].run_dir / f"g{short_name(volume_id)}.s"

    async def write(self, site: str, volume_id: VolumeId, offset: int, data: bytes) -> None:
        async with await NbdClient.connect(self.gate(site, volume_id), GUEST_EXPORT) as client:
            await client.write(offset, data)

    async def read_copy(self, site: str, volume_id: VolumeId, offset: int, length: int) -> bytes:
        path = self.volume_file(site, volume_id)
        if path.exists():
            return await asyncio.to_thread(_read, path, offset, length)
        async with await NbdClient.connect(self.gate(site, volume_id), GUEST_EXPORT) as client:
            return await client.read(offset, length)

    async def cut_link(self) -> None:
        for cable in self.cables.values():
            cable.cut()

    async def restore_link(self) -> None:
        for cable in self.cables.values():
            cable.restore()

    async def crash(self, site: str) -> None:
        await self.site(site).close()
        await kill_everything(self.settings[SiteName(site)].data_dir)

    async def restart(self, site: str) -> None:
        await self._start(SiteName(site))

    async def restart_agent(self, site: str) -> None:
        await self.site(site).close()
        await self._start(SiteName(site))

    async def _build(self) -> None:
        authority = create_authority()
        ca = authority.write(self.base)
        image = self.base / "image.raw"
        image.write_bytes(IMAGE_BYTES)
        ports = {name: free_port() for name in SITES}
        for name in SITES:
            write_site_bundle(authority, name, self.base / f"{name}.pem")
            self.cables[name] = Cable(ports[name])
            await self.cables[name].start()
        for name in SITES:
            self.settings[name] = QemuSiteSettings(
                name=name,
                data_dir=self.base / name,
                images={IMAGE_NAME: image},
                relay_listen=PeerAddress("127.0.0.1", ports[name]),
                peers={peer: PeerAddress("127.0.0.1", self.cables[peer].port) for peer in SITES if peer != name},
                certificates=RelayCertificates(authority=ca, bundle=self.base / f"{name}.pem"),
                relay_slots=_SLOTS,
            )
        await asyncio.gather(*(self._start(name) for name in SITES))

    async def _start(self, name: SiteName) -> None:
        self._sites[name] = QemuSite(self.settings[name])
        await self._sites[name].start()

    async def _demolish(self) -> None:
        try:
            await asyncio.gather(*(site.close() for site in self._sites.values()))
        finally:
            for settings in self.settings.values():
                await kill_everything(settings.data_dir)
            for cable in self.cables.values():
                await cable.close()
            shutil.rmtree(self.base)


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)
