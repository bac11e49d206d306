"""The control plane's process: API, identity, job engine and watcher over one database and the sites' agents.

Whatever is wrong at the start is said in one sentence on standard error, with exit code 2.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from litestar import Litestar

from opensdrs.api.app import build_app
from opensdrs.api.health import health_handler
from opensdrs.api.infra.router import infra_handlers
from opensdrs.api.keystone import CatalogSettings, keystone_handlers
from opensdrs.api.settings import ApiSettings
from opensdrs.cloud.catalog import seed_active_domain, seed_flavors
from opensdrs.cloud.cloud import Cloud
from opensdrs.cloud.eips import EipPool
from opensdrs.domain.ids import SiteName
from opensdrs.domain.model import ActiveDomain, Job
from opensdrs.flows.context import Context
from opensdrs.flows.table import FLOWS
from opensdrs.flows.watcher import Watcher
from opensdrs.iam.authenticator import Authenticator
from opensdrs.iam.identity import Identity
from opensdrs.iam.keys import KeyFileError, load_keys
from opensdrs.iam.passwords import Passwords
from opensdrs.iam.tokens import Tokens
from opensdrs.jobs.engine import Engine
from opensdrs.jobs.outbox import Outbox
from opensdrs.jobs.runner import Runner
from opensdrs.main.config import Config, ConfigError, SiteAddress, read
from opensdrs.process.log import log_json_lines
from opensdrs.process.serving import CannotListen, Listen, check_can_listen, serving, until_signal
from opensdrs.services.quotas import Limits
from opensdrs.services.sdrs import build_services
from opensdrs.sites.base import Site
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.sites.remote import RemoteSite
from opensdrs.store import migrate
from opensdrs.store.database import Database

_log = logging.getLogger(__name__)
EXIT_CANNOT_START = 2
MEMORY_URL = "memory:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The parts that run, for whoever embeds them (tests, the lab)."""

    config: Config
    database: Database
    sites: Mapping[SiteName, Site]
    app: Litestar


def run_control_plane(config_path: Path) -> int:
    """Serve until SIGTERM or SIGINT; return the process's exit code. Unfinished jobs go on at the next start."""
    try:
        config = read(config_path)
        log_json_lines(config.log_level)
        check_can_listen(Listen(host=config.listen.host, port=config.listen.port))
        asyncio.run(_serve(config))
    except (ConfigError, CannotListen, KeyFileError) as error:
        print(f"sdrs serve: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    return 0


async def _serve(config: Config) -> None:
    async with running(config) as plane:
        listen = Listen(host=config.listen.host, port=config.listen.port)
        async with serving(plane.app, listen) as server:
            _log.info("control.started", extra={"host": listen.host, "port": listen.port})
            await until_signal(server)
    _log.info("control.stopped")


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[ControlPlane]:
    """Build everything, start the engine and the watcher, and stop them in order at the end."""
    _make_data_dir(config)
    async with AsyncExitStack() as stack:
        database = Database(config.database_url or config.sqlite_url("sdrs.sqlite"))
        stack.push_async_callback(database.close)
        await migrate.upgrade(database)
        await _seed(config, database)
        sites = await _sites(config, stack)
        pool = EipPool(network=config.eips.network, first_port=config.eips.first_port, last_port=config.eips.last_port)
        cloud = Cloud(database, sites, eip_pool=pool)
        await cloud.settle_interrupted()
        outbox = Outbox()
        engine = _engine(config, database, sites, outbox)
        await engine.start()
        stack.push_async_callback(engine.close)
        watcher = Watcher(database, sites)
        await watcher.start()
        stack.push_async_callback(watcher.close)
        yield ControlPlane(config=config, database=database, sites=sites, app=_app(config, database, cloud, outbox))


def _make_data_dir(config: Config) -> None:
    try:
        config.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"data_dir {config.data_path} cannot be made: {error.strerror}") from None
    if not os.access(config.data_path, os.W_OK):
        raise ConfigError(f"data_dir {config.data_path} cannot be written to; change its owner or choose another")
    os.umask(0o077)  # databases and keys are nobody else's business


async def _seed(config: Config, database: Database) -> None:
    async with database.write() as connection:
        await seed_flavors(connection)
        for row in config.active_domain:
            domain = ActiveDomain(
                id=row.id,
                name=row.name,
                description=row.description,
                sold_out=False,
                local_site=SiteName(row.local_site),
                remote_site=SiteName(row.remote_site),
            )
            await seed_active_domain(connection, domain)


async def _sites(config: Config, stack: AsyncExitStack) -> dict[SiteName, Site]:
    link = MemoryLink()
    return {SiteName(address.name): await _site(config, address, link, stack) for address in config.site}


async def _site(config: Config, address: SiteAddress, link: MemoryLink, stack: AsyncExitStack) -> Site:
    if address.url == MEMORY_URL:
        return MemorySite(address.name, link)
    remote = RemoteSite(address.name, address.url, _token(config, address))
    stack.push_async_callback(remote.close)
    return remote


def _token(config: Config, address: SiteAddress) -> str:
    path = Path(config.folder) / address.token_file
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"site {address.name}: token_file {path} cannot be read: {error.strerror}") from None


def _engine(config: Config, database: Database, sites: Mapping[SiteName, Site], outbox: Outbox) -> Engine:
    def context(job: Job) -> Context:
        return Context(job, database, sites)

    url = config.workflow_database_url or config.sqlite_url("workflows.sqlite")
    return Engine(database, url, Runner(database, FLOWS, context), outbox, config.executor)


def _app(config: Config, database: Database, cloud: Cloud, outbox: Outbox) -> Litestar:
    keys = load_keys(config.path(config.iam.key_file))
    identity = Identity(database, Tokens(keys), keys, Passwords())
    settings = ApiSettings(
        not_found_status=404 if config.api.not_found_status == 404 else 400, public_url=config.public_url
    )
    limits = Limits(
        groups=config.quotas.groups,
        pairs=config.quotas.pairs,
        instances_per_group=config.quotas.instances_per_group,
        unattached_pairs=config.quotas.unattached_pairs,
        vpcs=config.quotas.vpcs,
        subnets=config.quotas.subnets,
        nics_per_instance=config.quotas.nics_per_instance,
    )
    return build_app(
        build_services(database, outbox, time.time, limits=limits),
        Authenticator(identity),
        settings,
        [
            health_handler(database.ping),
            *keystone_handlers(identity, CatalogSettings(region=config.iam.region, public_url=config.public_url)),
            *infra_handlers(cloud),
        ],
    )
