"""The processes of a lab: start them, wait until they answer, stop them, and cut a site's power."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from opensdrs.lab.layout import SITES, Layout, agent_port
from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.cleanup import kill_everything, teardown
from opensdrs.sites.qemu.process import Proc

_READY_S = 60.0
_STOP_S = 15.0
_POLL_S = 0.05


class LabError(Exception):
    """The lab cannot go on; the text says why and what to do."""


class Processes:
    """The control plane and the agents of one lab."""

    def __init__(self, layout: Layout, endpoint: str) -> None:
        self._layout = layout
        self._endpoint = endpoint

    async def start_all(self) -> None:
        """Start both agents and the control plane, or find them running; return when the API answers."""
        for name in SITES:
            self.start_agent(name)
        self.start_control()
        await self.wait_ready()

    def start_agent(self, name: str) -> Proc:
        """Start a site's agent unless it runs."""
        return _start("agent", self._layout.site(name), ["agent", "--config", str(self._layout.agent_config(name))])

    def start_control(self) -> Proc:
        """Start the control plane unless it runs."""
        return _start("control", self._layout.control, ["serve", "--config", str(self._layout.control_config)])

    def control(self) -> Proc | None:
        """The control plane's process, if it runs."""
        return process.find("control", self._layout.control / "run")

    def agent(self, name: str) -> Proc | None:
        """A site's agent, if it runs."""
        return process.find("agent", self._layout.site(name) / "run")

    async def wait_ready(self) -> None:
        """Return when the control plane answers. Raises: LabError with the last words of a process that ended."""
        deadline = time.monotonic() + _READY_S
        agents = [f"http://127.0.0.1:{agent_port(self._layout, name)}" for name in SITES]
        for url in (*agents, f"{self._endpoint}/healthz"):
            await self._wait_for_answer(url, deadline, self._check_alive)
        self._check_alive()  # what answered may be somebody else's, at a port that ours could not get

    async def wait_control(self) -> None:
        """Return when the control plane answers. Raises: LabError."""
        await self._wait_for_answer(f"{self._endpoint}/healthz", time.monotonic() + _READY_S)

    async def wait_agent(self, name: str) -> None:
        """Return when a site's agent answers. Raises: LabError."""
        await self._wait_for_answer(f"http://127.0.0.1:{agent_port(self._layout, name)}", time.monotonic() + _READY_S)

    async def _wait_for_answer(self, url: str, deadline: float, check: Callable[[], None] = lambda: None) -> None:
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            while not await _answers(client, url):
                check()
                if time.monotonic() > deadline:
                    raise LabError(f"nothing answers at {url}; see {self._layout.root}/*/run/*.err")
                await asyncio.sleep(_POLL_S)

    def _check_alive(self) -> None:
        for name, tree in (("control", self._layout.control), *(("agent", self._layout.site(site)) for site in SITES)):
            if process.find(name, tree / "run") is None:
                words = process.last_words(name, tree / "run") or "it left no message"
                raise LabError(f"{name} of {tree.name} ended at its start: {words}")

    async def stop_all(self) -> None:
        """Stop everything in order: control plane, then each site's agent, servers, daemons and relay."""
        await self._terminate(self.control())
        for name in SITES:
            await self._terminate(self.agent(name))
        await asyncio.gather(*(teardown(self._layout.site(name)) for name in SITES))

    async def kill_control(self) -> None:
        """SIGKILL the control plane."""
        await _kill(self.control())

    async def kill_agent(self, name: str) -> None:
        """SIGKILL a site's agent alone; its daemons and servers go on."""
        await _kill(self.agent(name))

    async def cut_power(self, name: str) -> int:
        """SIGKILL everything of a site at once; return how many processes that were."""
        count = len(process.all_processes(self._layout.site(name)))
        await kill_everything(self._layout.site(name))
        return count

    def leftovers(self) -> list[Proc]:
        """Every process of this lab that still runs."""
        return [proc for tree in self._layout.trees for proc in process.all_processes(tree)]

    @staticmethod
    async def _terminate(proc: Proc | None) -> None:
        if proc is not None:
            await proc.terminate(_STOP_S)


async def _kill(proc: Proc | None) -> None:
    if proc is not None:
        proc.send(signal.SIGKILL)
        await proc.wait(_STOP_S)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    """Whether something answers; an agent answers an unknown path with an error, which is an answer."""
    try:
        return (await client.get(url)).status_code < httpx.codes.INTERNAL_SERVER_ERROR
    except httpx.TransportError:
        return False


def _start(name: str, tree: Path, arguments: list[str]) -> Proc:
    run_dir = tree / "run"
    running = process.find(name, run_dir)
    if running is not None:
        return running
    (run_dir / f"{name}.err").unlink(missing_ok=True)
    environment = {"PYTHONUNBUFFERED": "1", "PATH": os.environ.get("PATH", os.defpath)}
    return process.spawn(name, [sys.executable, "-m", "opensdrs", *arguments], run_dir, environment)
