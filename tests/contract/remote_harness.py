"""The sites of another harness, driven through real agents over HTTP on the loopback interface."""

import socket
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from opensdrs.agent.serve import serving
from opensdrs.domain.ids import VolumeId
from opensdrs.process.serving import Listen
from opensdrs.sites.base import Site
from opensdrs.sites.remote import RemoteSite
from tests.contract.harness import Harness

TOKEN = "contract-suite-token"


def find_free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RemoteHarness:
    """One agent per site; it dies with the site, and `restart_agent` replaces it."""

    def __init__(self, inner: Harness) -> None:
        self._inner = inner
        self.has_servers = inner.has_servers
        self._listens = {name: Listen(host="127.0.0.1", port=find_free_port()) for name in ("az1", "az2")}
        self._agents: dict[str, AsyncExitStack] = {}
        self._clients = {
            name: RemoteSite(name, f"http://{it.host}:{it.port}", TOKEN) for name, it in self._listens.items()
        }

    async def __aenter__(self) -> Self:
        for name in self._listens:
            await self._start_agent(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.close()
        for name in tuple(self._agents):
            await self._stop_agent(name)

    def site(self, name: str) -> Site:
        return self._clients[name]

    async def write(self, site: str, volume_id: VolumeId, offset: int, data: bytes) -> None:
        await self._inner.write(site, volume_id, offset, data)

    async def read_copy(self, site: str, volume_id: VolumeId, offset: int, length: int) -> bytes:
        return await self._inner.read_copy(site, volume_id, offset, length)

    async def cut_link(self) -> None:
        await self._inner.cut_link()

    async def restore_link(self) -> None:
        await self._inner.restore_link()

    async def crash(self, site: str) -> None:
        await self._stop_agent(site)
        await self._inner.crash(site)

    async def restart(self, site: str) -> None:
        await self._inner.restart(site)
        await self._start_agent(site)

    async def restart_agent(self, site: str) -> None:
        await self._stop_agent(site)
        await self._inner.restart_agent(site)
        await self._start_agent(site)

    async def _start_agent(self, name: str) -> None:
        stack = AsyncExitStack()
        await stack.enter_async_context(serving(self._inner.site(name), TOKEN, self._listens[name]))
        self._agents[name] = stack

    async def _stop_agent(self, name: str) -> None:
        agent = self._agents.pop(name, None)
        if agent is not None:
            await agent.aclose()
