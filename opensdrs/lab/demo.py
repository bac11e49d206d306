"""`./run demo`: the whole story on a machine of its own making, from nothing to nothing."""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console

from opensdrs.lab.api import Api
from opensdrs.lab.guest.build import build_image
from opensdrs.lab.identity import ensure_accounts
from opensdrs.lab.layout import SITES, Layout, free_ports, prepare
from opensdrs.lab.processes import Processes
from opensdrs.lab.screen import Screen, mib
from opensdrs.lab.story import Outcome, Story
from opensdrs.lab.trouble import TROUBLE

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "guest"


async def demo(console: Console, *, keep: bool = False) -> int:
    """Tell the story; return the exit status. Nothing runs afterwards; files go too unless it failed or `keep`."""
    screen = Screen(console)
    screen.title("OpenSDRS: a server, two sites, a disaster, and nothing lost")
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="sdrs-demo-"))
    status = 1
    try:
        outcome = await _run(root, screen)
        _results(screen, outcome, time.monotonic() - began)
        status = 0
    except TROUBLE as error:
        console.print(f"\n[bold red]The demo broke off:[/] {error or type(error).__name__}", highlight=False)
        console.print(f"What the processes said: {root}/*/run/*.err", highlight=False)
    if status == 0 and not keep:
        shutil.rmtree(root)
    return status


async def _run(root: Path, screen: Screen) -> Outcome:
    screen.step("Control plane and two sites start")
    image = await asyncio.to_thread(build_image, CACHE)
    layout = Layout(root)
    (port,) = free_ports(1)
    prepare(layout, port, image)
    accounts = await ensure_accounts(layout)
    endpoint = f"http://127.0.0.1:{port}"
    processes = Processes(layout, endpoint)
    try:
        await processes.start_all()
        screen.fact(f"control plane at {endpoint}; agents {' and '.join(SITES)}, each in a directory of its own")
        async with Api(endpoint, accounts["lab"]) as api:
            story = Story(api, processes, screen)
            await story.tell()
        return story.outcome
    finally:
        await processes.stop_all()


def _results(screen: Screen, outcome: Outcome, took_s: float) -> None:
    for name, found in outcome.audits.items():
        words = f"{found.acknowledged:,} acknowledged, {found.present:,} present, {found.lost} lost"
        screen.result(f"after the {name}", words)
    screen.result("RTO, to server running", f"{outcome.rto_running_s:.2f} s")
    screen.result("RTO, to first new write", f"{outcome.rto_writing_s:.1f} s")
    screen.result("first synchronisation", f"{mib(outcome.copied_bytes)} sent for disks of {mib(outcome.disk_bytes)}")
    screen.result("synchronisation back", f"{mib(outcome.resent_bytes)} sent for disks of {mib(outcome.disk_bytes)}")
    if outcome.drill is not None:
        screen.result("DR drill", f"{outcome.drill.last:,} records, {outcome.drill.bad} bad")
    screen.result("whole demo", f"{took_s:.0f} s")
    screen.table(f"Lost: {outcome.lost}")
