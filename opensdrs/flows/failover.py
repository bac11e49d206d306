"""Failover: the production site is lost, the DR site takes over. Works with the production site completely dead.

The pivot is the promotion at the witness: it and the exchange of roles and ports are one transaction. Before it,
nothing is changed; after it, the flow only goes forward, and a later failover of the group continues it.

Source: API reference 5.4.8; dataplane design, section 5.
"""

import asyncio
import logging

from opensdrs.cloud.networks import exchange_ports
from opensdrs.domain import witness as rules
from opensdrs.domain.errors import SiteFault, Superseded, refused
from opensdrs.domain.infrastructure import Server, ServerStatus
from opensdrs.domain.model import Group
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import FaultLevel, ReplicationStatus, Station
from opensdrs.domain.witness import NotInSync, Witness
from opensdrs.flows.context import Context, Picture, look
from opensdrs.flows.servers import living, start_servers
from opensdrs.flows.settle import settle_group
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.sites.model import Mode
from opensdrs.store import rows, witness
from opensdrs.store.database import Connection

_log = logging.getLogger(__name__)
# How long a failover waits for a production site that may be dead; fencing is not needed for safety (no site lets
# writes go on alone before the witness says so), it only stops servers that could not write any more anyway.
_FENCE_S = 1.0


def lost_station(context: Context) -> Station:
    """The site that was production when the operation was first asked for."""
    return Station(context.param("from_station"))


def has_pivoted(context: Context, register: Witness) -> bool:
    """Whether the roles have been exchanged for this operation, perhaps by an earlier job that failed later."""
    return bool(register.epoch > context.param("epoch") and register.owner is lost_station(context).other)


async def exchange_roles(connection: Connection, picture: Picture, register: Witness, now: float) -> None:
    """In one transaction: the witness's new register, the group's production site, and the ports of its servers."""
    await witness.write(connection, picture.group.id, picture.witness, register)
    await rows.update(connection, Group, picture.group.id, priority_station=register.owner, updated_at=now)
    for instance in living(picture):
        await exchange_ports(connection, instance.source_server_id, instance.target_server_id)


async def promote(context: Context) -> None:
    """The pivot: the DR site owns the group from here on. Raises: Refused unless the copy is known to be complete."""
    async with context.database.write() as connection:
        picture = await look(connection, context.group_id)
        if has_pivoted(context, picture.witness):
            return
        try:
            register = rules.promote(picture.witness, context.param("epoch"), context.now())
        except NotInSync as error:
            raise refused("SDRS.1601", f"{error}; a failover could lose acknowledged writes") from error
        await exchange_roles(connection, picture, register, context.now())


async def take_over(context: Context) -> None:
    """The DR site opens its copies and remembers what it writes; meanwhile the old site is fenced, if it answers."""
    picture = await context.picture()
    lost = lost_station(context)
    await together(
        [
            _fence(context, picture, lost),
            context.site_at(picture, lost.other).ensure_group(picture.spec(lost.other, Mode.RECORD)),
        ]
    )


async def _fence(context: Context, picture: Picture, lost: Station) -> object:
    site = context.site_at(picture, lost)
    try:
        async with asyncio.timeout(_FENCE_S):
            return await site.ensure_group(picture.spec(lost, Mode.FENCED))
    except (SiteFault, TimeoutError) as error:
        _log.warning(
            "failover.fence.skipped", extra={"site": site.name, "group_id": picture.group.id, "reason": str(error)}
        )
    return None


async def ensure_servers_running(context: Context) -> None:
    """The DR servers run, with the addresses of the production servers; the rows of those say that they do not."""
    picture = await context.picture()
    if not has_pivoted(context, picture.witness):
        raise Superseded("failover", context.param("epoch"), picture.witness.epoch)
    lost = lost_station(context)
    async with context.database.write() as connection:
        for instance in living(picture):
            await rows.update(
                connection, Server, instance.server_at(lost), status=ServerStatus.SHUTOFF, started_at=None
            )
    await start_servers(context, picture, lost.other)


async def settle_failed_over(context: Context, failure: Failure | None) -> None:
    """The group, its instances and pairs are `failed-over`; nothing is replicated until protection is enabled again."""
    await settle_group(
        context,
        failure,
        replication_status=ReplicationStatus.ACTIVE_STOPPED,
        progress=0,
        fault_level=FaultLevel.NONE,
    )


FAILOVER_GROUP = Flow(
    job_type=JobType.FAILOVER_GROUP,
    steps=(
        Step("promote", promote, 10.0, is_pivot=True),
        Step("take-over", take_over, 60.0),
        Step("start-servers", ensure_servers_running, 60.0),
    ),
    settle=settle_failed_over,
)
