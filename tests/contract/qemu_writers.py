"""Guests that write for ever and remember what they were told is done, for tests of the storage half."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opensdrs.domain.ids import VolumeId
from opensdrs.sites.qemu.graph import GUEST_EXPORT
from tests.contract.qemu_harness import QemuHarness
from tests.contract.site_world import World
from tests.nbd import NbdClient

BLOCK = 4096
SIZE = 16 << 20


@dataclass
class Writer:
    """A guest that writes random blocks for ever and knows what it was told is done. It reconnects, as guests do."""

    harness: QemuHarness
    site: str
    volume_id: VolumeId
    seed: int
    acknowledged: dict[int, bytes] = field(default_factory=dict)
    in_flight: tuple[int, bytes] | None = None
    count: int = 0
    longest_s: float = 0.0
    is_stopping: bool = False

    async def run(self) -> None:
        rng = random.Random(self.seed)
        while not self.is_stopping:
            try:
                async with await NbdClient.connect(
                    self.harness.gate(self.site, self.volume_id), GUEST_EXPORT
                ) as client:
                    while not self.is_stopping:
                        await self._write_one(client, rng)
            except OSError:
                await asyncio.sleep(0.02)

    async def _write_one(self, client: NbdClient, rng: random.Random) -> None:
        if self.in_flight is None:  # else it was never acknowledged: the guest tries again
            offset = rng.randrange(SIZE // BLOCK) * BLOCK
            self.in_flight = (offset, self.count.to_bytes(8, "little") * (BLOCK // 8))
        offset, data = self.in_flight
        began = time.monotonic()
        await client.write(offset, data, fua=False)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.acknowledged[offset] = data
        self.in_flight = None
        self.count += 1

    def lost(self, copy: bytes) -> int:
        """Count acknowledged blocks that a copy does not hold; one that is being written may be old or new."""
        return sum(
            copy[offset : offset + BLOCK] != data
            for offset, data in self.acknowledged.items()
            if self.in_flight is None or self.in_flight[0] != offset
        )


@asynccontextmanager
async def writing(world: World, *volume_ids: VolumeId, site: str = "az1") -> AsyncIterator[list[Writer]]:
    """Have a guest write to each volume inside the block."""
    assert isinstance(world.harness, QemuHarness)
    writers = [Writer(world.harness, site, volume_id, seed) for seed, volume_id in enumerate(volume_ids)]
    tasks = [asyncio.create_task(writer.run()) for writer in writers]
    try:
        yield writers
    finally:
        for writer in writers:
            writer.is_stopping = True
        await asyncio.wait(tasks, timeout=2)  # what is on its way may reach one copy before the other
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
