"""`./run lab`: the environment of the demo, seeded, in the foreground until Ctrl-C; its data stays."""

import asyncio
import shlex
import shutil
import signal
import sys
from pathlib import Path

from rich.console import Console

from opensdrs.lab.api import Api, Json
from opensdrs.lab.demo import CACHE
from opensdrs.lab.guest.build import build_image
from opensdrs.lab.identity import DOMAIN, Account, ensure_accounts
from opensdrs.lab.layout import IMAGE, REGION, SITES, Layout, prepare, write_private
from opensdrs.lab.processes import Processes
from opensdrs.lab.seed import Network, create_ledger_server, ensure_network, find_by_name
from opensdrs.lab.trouble import TROUBLE


async def lab(console: Console, *, data_dir: Path, port: int, fresh: bool) -> int:
    """Start, seed, write the env file, wait for a signal, stop cleanly; `data_dir` is absolute. Return the status."""
    layout = Layout(data_dir)
    endpoint = f"http://127.0.0.1:{port}"
    processes = Processes(layout, endpoint)
    await processes.stop_all()  # what a lab that was killed left running
    if fresh and layout.root.exists():
        shutil.rmtree(layout.root)
    stop = _stop_event()
    try:
        prepare(layout, port, await asyncio.to_thread(build_image, CACHE))
        accounts = await ensure_accounts(layout)
        await processes.start_all()
        async with Api(endpoint, accounts["lab"]) as api:
            with console.status("seeding"):
                _write_env(layout, endpoint, accounts["lab"], await _seed(api))
        console.print(f"[bold]The lab is up[/] at {endpoint}. Ctrl-C stops it; its data stays in {layout.root}.")
        console.print(f"Clients:  set -a; . {shlex.quote(str(layout.env_file))}; set +a; sdrs group list")
        await _wait(stop, processes)
        return 0
    except TROUBLE as error:
        console.print(f"[bold red]The lab could not go on:[/] {error or type(error).__name__}", highlight=False)
        return 1
    finally:
        with console.status("stopping"):
            await processes.stop_all()


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _wait(stop: asyncio.Event, processes: Processes) -> None:
    """Until a signal. A control plane or agent that was killed is started again, as a supervisor would."""
    while not stop.is_set():
        processes.start_control()
        for name in SITES:
            processes.start_agent(name)
        try:
            async with asyncio.timeout(1.0):
                await stop.wait()
        except TimeoutError:
            continue


async def _seed(api: Api) -> Json:
    network = await ensure_network(api)
    running = await find_by_name(api, "servers", "ledger-1")  # a lab started again: what ran then runs again by itself
    running_id = running["id"] if running else (await create_ledger_server(api, network)).server_id
    stopped = await _ensure_stopped_server(api, network)
    free = await _ensure_volume(api, "free-1", {"size_gib": 2})
    await _ensure_volume(api, "shared-1", {"size_gib": 1, "shared": True})
    await _ensure_volume(api, "encrypted-1", {"size_gib": 1, "encrypted": True})
    for site in SITES:
        await _ensure(api, "dedicated-hosts", "dedicated_hosts", {"name": f"host-{site}", "availability_zone": site})
        pool = {"name": f"pool-{site}", "availability_zone": site, "type": "SSD", "capacity_gib": 100}
        await _ensure(api, "storage-pools", "storage_pools", pool)
    return {
        "SDRS_VPC_ID": network.vpc_id,
        "SDRS_SUBNET_ID": network.subnet_id,
        "SDRS_SERVER_ID": stopped["id"],
        "SDRS_VOLUME_ID": free["id"],
        "SDRS_RUNNING_SERVER_ID": running_id,
    }


async def _ensure_stopped_server(api: Api, network: Network) -> Json:
    found = await find_by_name(api, "servers", "db-1")
    if found is not None:
        return found
    return await api.infra(
        "POST",
        "/servers",
        {
            "name": "db-1",
            "availability_zone": SITES[0],
            "flavor_id": "s3.medium.2",
            "vpc_id": network.vpc_id,
            "nics": [{"subnet_id": network.subnet_id}],
            "volumes": [{"size_gib": 1, "image": IMAGE, "bootable": True}],
            "start": False,
        },
    )


async def _ensure_volume(api: Api, name: str, fields: Json) -> Json:
    found = await find_by_name(api, "volumes", name)
    return found or await api.infra("POST", "/volumes", {"name": name, "availability_zone": SITES[0], **fields})


async def _ensure(api: Api, path: str, key: str, body: Json) -> None:
    listed = (await api.infra("GET", f"/{path}"))[key]
    if not any(row["name"] == body["name"] for row in listed):
        await api.infra("POST", f"/{path}", body)


def _write_env(layout: Layout, endpoint: str, account: Account, ids: Json) -> None:
    command = f"{sys.executable} -m opensdrs.lab server --env {layout.env_file}"
    values = {
        "SDRS_ENDPOINT": endpoint,
        "IAM_ENDPOINT": endpoint,
        "SDRS_AK": account.access_key,
        "SDRS_SK": account.secret_key,
        "SDRS_PROJECT_ID": account.project_id,
        "SDRS_PROJECT_NAME": account.project,
        "SDRS_DOMAIN_NAME": DOMAIN,
        "SDRS_USERNAME": account.user,
        "SDRS_PASSWORD": account.password,
        "SDRS_REGION": REGION,
        **ids,
        "SDRS_SERVER_CMD": command,
    }
    write_private(layout.env_file, "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items()))
