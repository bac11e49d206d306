"""The service as a client meets it: a real process on a real socket, over emulated sites, with projects of their own.

Each suite has its own project, so that suites neither see nor disturb each other. What no client of SDRS makes
(networks, servers, volumes) comes from the infrastructure API.
"""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from opensdrs.iam.bootstrap import Bootstrap
from opensdrs.iam.keys import load_keys
from opensdrs.iam.model import Role
from opensdrs.iam.passwords import Passwords
from opensdrs.lab.layout import free_ports
from opensdrs.main.config import Config, read
from opensdrs.store import migrate
from opensdrs.store.database import Database
from tests.waiting import eventually

T = TypeVar("T")
REGION, ACCOUNT = "lab", "account-1"
AZ1, AZ2, AZ3 = "az1", "az2", "az3"  # az3's agent does not answer: what needs it fails
DOMAIN, DOMAIN_NAME = "5d0e8a2c-7b1f-4c7e-9a51-0f6f3c1b2a10", "az1-az2"
DOMAIN_DOWN = "5d0e8a2c-7b1f-4c7e-9a51-0f6f3c1b2a11"
PROJECTS = ("signed", "token", "otc", "go", "fuzz")
_FULL_GIB, _TOO_LARGE_GIB = 15 * 1024 + 512, 600  # of 16 TiB: a DR disk of the second size does not fit at az2
_CONFIG = """
[listen]
port = {port}
[iam]
region = "{region}"
[[site]]
name = "az1"
url = "memory:"
[[site]]
name = "az2"
url = "memory:"
[[site]]
name = "az3"
url = "http://127.0.0.1:{closed}"
token_file = "token"
[[active_domain]]
id = "{domain}"
name = "az1-az2"
description = "two zones"
local_site = "az1"
remote_site = "az2"
[[active_domain]]
id = "{domain_down}"
name = "az1-az3"
local_site = "az1"
remote_site = "az3"
"""


def wait_for(probe: Callable[[], T], accept: Callable[[T], bool], *, timeout_s: float = 40.0) -> T:
    """Poll with a client that blocks, until `accept` likes what it returns. Raises: TimeoutError."""

    async def ask() -> T:
        return probe()

    return asyncio.run(eventually(ask, accept, timeout_s=timeout_s, interval_s=0.03))


@dataclass(kw_only=True)
class Tenant:
    """A project with a user, its password and its access key, and the networks in it."""

    url: str
    project: str
    project_id: str
    user: str
    password: str
    access_key: str
    secret_key: str
    vpc_id: str = field(init=False)
    subnet_ids: list[str] = field(init=False)
    failing_job_id: str = field(init=False)  # creates a group that needs az3; it takes 15 s to fail
    _token: str = ""

    def token(self) -> str:
        """Log in as CONTRACT 5.1 shows it; the same token each time."""
        if not self._token:
            user = {"name": self.user, "password": self.password, "domain": {"name": ACCOUNT}}
            identity = {"methods": ["password"], "password": {"user": user}}
            body = {"auth": {"identity": identity, "scope": {"project": {"name": self.project}}}}
            answer = httpx.post(f"{self.url}/v3/auth/tokens", json=body, trust_env=False)
            assert answer.status_code == 201, answer.text
            self._token = answer.headers["X-Subject-Token"]
        return self._token

    def infra(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the infrastructure API; the answer must be a success."""
        answer = httpx.request(
            method, f"{self.url}/infra/v1/{self.project_id}{path}", json=body, timeout=30, trust_env=False,
            headers={"X-Auth-Token": self.token()},
        )  # fmt: skip
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def volume(self, site: str = AZ1, size_gib: int = 1) -> str:
        """Make a free volume."""
        body = {"name": "volume", "availability_zone": site, "size_gib": size_gib}
        return str(self.infra("POST", "/volumes", body)["id"])

    def server(self, disks: int = 2) -> str:
        """Make a running server at az1, with a system disk and data disks."""
        name = f"server-{secrets.token_hex(3)}"
        body = {
            "name": name, "availability_zone": AZ1, "flavor_id": "s3.small.1", "vpc_id": self.vpc_id,
            "nics": [{"subnet_id": self.subnet_ids[0]}],
            "volumes": [{"bootable": True}, *({"size_gib": 1} for _ in range(disks - 1))],
        }  # fmt: skip
        return str(self.infra("POST", "/servers", body)["id"])

    def stop(self, server_id: str) -> None:
        """Stop a server."""
        self.infra("POST", f"/servers/{server_id}/stop", {"force": True})

    def too_large_volume(self) -> str:
        """Make a volume at az1 for which az2 has no room: creating its replication pair fails."""
        return self.volume(AZ1, _TOO_LARGE_GIB)

    def make_networks(self) -> None:
        """Make a VPC with two subnets."""
        self.vpc_id = self.infra("POST", "/vpcs", {"name": "main", "cidr": "10.20.0.0/16"})["id"]
        self.subnet_ids = [
            self.infra("POST", "/subnets", {"vpc_id": self.vpc_id, "name": f"net-{n}", "cidr": f"10.20.{n}.0/24"})["id"]
            for n in (1, 2)
        ]

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask SDRS by plain HTTP with the token."""
        return httpx.request(
            method, f"{self.url}/v1/{self.project_id}{path}", json=body, timeout=30, trust_env=False,
            headers={"X-Auth-Token": self.token()},
        )  # fmt: skip

    def start_failing_job(self) -> None:
        """Ask for a group that cannot be created."""
        group = {
            "name": "unreachable", "source_availability_zone": AZ1, "target_availability_zone": AZ3,
            "domain_id": DOMAIN_DOWN, "source_vpc_id": self.vpc_id,
        }  # fmt: skip
        self.failing_job_id = self.ask("POST", "/server-groups", {"server_group": group}).json()["job_id"]


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The running service."""

    url: str
    folder: Path
    tenants: dict[str, Tenant]


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Start the service with its projects, and stop it."""
    port, closed = free_ports(2)
    path = folder / "control.toml"
    path.write_text(_CONFIG.format(port=port, closed=closed, region=REGION, domain=DOMAIN, domain_down=DOMAIN_DOWN))
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "token").write_text("none")
    (folder / "token").write_text("none")
    url = f"http://127.0.0.1:{port}"
    tenants = asyncio.run(_accounts(read(path), url))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "opensdrs", "serve", "--config", str(path)], stdout=log, stderr=log
        )
        try:
            wait_for(lambda: process.poll() is not None or _answers(url), bool)
            assert process.poll() is None, (folder / "log").read_text()
            for tenant in tenants.values():
                tenant.make_networks()
                tenant.start_failing_job()
            tenants["fuzz"].volume(AZ2, _FULL_GIB)
            yield Lab(url=url, folder=folder, tenants=tenants)
        finally:
            process.terminate()
            status = process.wait(timeout=30)
    assert status == 0


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


async def _accounts(config: Config, url: str) -> dict[str, Tenant]:
    database = Database(config.sqlite_url("sdrs.sqlite"))
    try:
        await migrate.upgrade(database)
        bootstrap = Bootstrap(database, load_keys(config.path(config.iam.key_file)), Passwords())
        return {name: await _account(bootstrap, name, url) for name in PROJECTS}
    finally:
        await database.close()


async def _account(bootstrap: Bootstrap, name: str, url: str) -> Tenant:
    password = secrets.token_urlsafe(12)
    project = await bootstrap.ensure_project(name, ACCOUNT)
    user = await bootstrap.ensure_user(f"user-{name}", ACCOUNT, password)
    for role in (Role.ADMIN, *((Role.SYSTEM_ADMIN,) if name == "fuzz" else ())):
        await bootstrap.ensure_grant(user, project, role)
    access_key, secret_key = await bootstrap.ensure_access_key(user)
    return Tenant(
        url=url, project=name, project_id=project.id, user=user.name, password=password, access_key=access_key,
        secret_key=secret_key,
    )  # fmt: skip
