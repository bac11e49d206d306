"""A lab of real processes for the end-to-end tests: control plane, two agents, storage daemons, servers."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from opensdrs.lab.api import Api
from opensdrs.lab.demo import CACHE
from opensdrs.lab.guest.build import build_image
from opensdrs.lab.identity import Account, ensure_accounts
from opensdrs.lab.layout import Layout, free_ports, prepare
from opensdrs.lab.processes import Processes


@dataclass(slots=True)
class Lab:
    """A running lab."""

    api: Api
    processes: Processes
    layout: Layout
    endpoint: str
    accounts: dict[str, Account]


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    root = Path(tempfile.mkdtemp(prefix="sdrs-e2e-"))
    layout = Layout(root)
    (port,) = free_ports(1)
    prepare(layout, port, build_image(CACHE))
    accounts = await ensure_accounts(layout)
    endpoint = f"http://127.0.0.1:{port}"
    processes = Processes(layout, endpoint)
    try:
        await processes.start_all()
        async with Api(endpoint, accounts["lab"]) as api:
            yield Lab(api=api, processes=processes, layout=layout, endpoint=endpoint, accounts=accounts)
    finally:
        await processes.stop_all()
        leftovers = processes.leftovers()
        shutil.rmtree(root)
    assert leftovers == []
