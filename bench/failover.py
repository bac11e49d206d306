"""How long from the failover request to the DR server's process, with two disks and the production site dead?

Side by side in the same run: starting the same server the plain way, through the same API, without any failover. The
ratio says what taking over costs on top of a start, whatever the machine.
"""

import shutil
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from opensdrs.lab.api import Api
from opensdrs.lab.demo import CACHE
from opensdrs.lab.guest.build import build_image
from opensdrs.lab.identity import ensure_accounts
from opensdrs.lab.layout import DOMAIN_ID, SITES, Layout, free_ports, prepare
from opensdrs.lab.processes import Processes
from opensdrs.lab.seed import create_ledger_server, ensure_network

ROUNDS = 5


async def bench_failover(rounds: int = ROUNDS) -> None:
    """Measure, print a table, leave nothing behind."""
    root = Path(tempfile.mkdtemp(prefix="sdrs-bench-"))
    layout = Layout(root)
    (port,) = free_ports(1)
    prepare(layout, port, build_image(CACHE))
    accounts = await ensure_accounts(layout)
    endpoint = f"http://127.0.0.1:{port}"
    processes = Processes(layout, endpoint)
    try:
        await processes.start_all()
        async with Api(endpoint, accounts["lab"]) as api:
            plain, failovers = await _measure(api, processes, rounds)
    finally:
        await processes.stop_all()
        shutil.rmtree(root)
    _show(plain, failovers)


async def _measure(api: Api, processes: Processes, rounds: int) -> tuple[list[float], list[float]]:
    network = await ensure_network(api)
    server = await create_ledger_server(api, network)
    plain = [await _plain_start(api, server.server_id) for _ in range(rounds)]
    group_id = await _protect(api, server.server_id, network.vpc_id)
    failovers = []
    for number in range(rounds):
        lost = SITES[number % 2]
        await processes.cut_power(lost)
        failovers.append(await _fail_over(api, group_id))
        processes.start_agent(lost)
        await processes.wait_agent(lost)
        await api.finish(await api.operate(group_id, "start-server-group"))
    return plain, failovers


async def _plain_start(api: Api, server_id: str) -> float:
    """Seconds from the request to start a stopped server to its process running."""
    await api.infra("POST", f"/servers/{server_id}/stop", {"force": True})
    began = time.time()
    server = await api.infra("POST", f"/servers/{server_id}/start", {})
    return datetime.fromisoformat(server["started_at"]).timestamp() - began


async def _protect(api: Api, server_id: str, vpc_id: str) -> str:
    body = {
        "name": "bench", "source_availability_zone": SITES[0], "target_availability_zone": SITES[1],
        "domain_id": DOMAIN_ID, "source_vpc_id": vpc_id,
    }  # fmt: skip
    job = await api.finish(await api.sdrs("POST", "/server-groups", {"server_group": body}))
    group_id = str(job["entities"]["server_group_id"])
    instance = {"server_group_id": group_id, "server_id": server_id, "name": "bench"}
    await api.finish(await api.sdrs("POST", "/protected-instances", {"protected_instance": instance}))
    await api.finish(await api.operate(group_id, "start-server-group"))
    return group_id


async def _fail_over(api: Api, group_id: str) -> float:
    """Seconds from the failover request to the DR server's process running."""
    began = time.time()
    await api.finish(await api.operate(group_id, "failover-server-group"))
    listed = await api.sdrs("GET", f"/protected-instances?server_group_id={group_id}")
    instance = listed["protected_instances"][0]
    which = "source_server" if instance["priority_station"] == "source" else "target_server"
    server = await api.infra("GET", f"/servers/{instance[which]}")
    return datetime.fromisoformat(server["started_at"]).timestamp() - began


def _show(plain: list[float], failovers: list[float]) -> None:
    table = Table(title="Request to process running, two disks, production site dead", title_justify="left")
    for column in ("what", "median", "all", "ratio"):
        table.add_column(column)
    base = statistics.median(plain)
    for name, values in (("plain start", plain), ("failover", failovers)):
        median = statistics.median(values)
        every = " ".join(f"{value:.2f}" for value in values)
        table.add_row(name, f"{median:.2f} s", every, f"{median / base:.1f}")
    Console().print(table)
