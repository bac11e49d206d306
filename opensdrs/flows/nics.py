"""Add and delete a NIC of a protected instance: one port at each site, in the same place of both servers.

A running server gets or loses it at once, a stopped one at its next start. Whatever becomes of the job, the instance
rests as its group does: A.3 has no failed status for NICs. Source: API reference 5.5.8, 5.5.9.
"""

from opensdrs.domain.ids import PortId
from opensdrs.domain.infrastructure import Eip, Port
from opensdrs.domain.model import Instance
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import InstanceStatus, Station
from opensdrs.flows.context import Context
from opensdrs.flows.servers import ensure_server
from opensdrs.flows.settle import REST_OF_INSTANCE, end_job
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.store import rows
from opensdrs.store.tables import eips


async def plug_in(context: Context) -> None:
    """Both servers have the NIC. `params["ports"]` says which port is whose."""
    await _give_ports(context, is_given=True)


async def pull_out(context: Context) -> None:
    """Neither server has the NIC; its ports stay for now, so that nobody else takes the addresses."""
    await _give_ports(context, is_given=False)


async def discard(context: Context) -> None:
    """Undo of adding: the ports go first, for they are what the sites are told."""
    await forget_ports(context)
    await _push(context)


async def forget_ports(context: Context) -> None:
    """The ports do not exist any longer; elastic IPs that led to them stay allocated."""
    async with context.database.write() as connection:
        for port_id in context.param("ports"):
            for eip in await rows.select(connection, Eip, rows.SYSTEM, eips.c.port_id == port_id):
                await rows.update(connection, Eip, eip.id, port_id=None)
        await rows.delete(connection, Port, context.param("ports"))


async def _give_ports(context: Context, *, is_given: bool) -> None:
    async with context.database.write() as connection:
        for port_id, server_id in context.param("ports").items():
            await rows.update(connection, Port, PortId(port_id), server_id=server_id if is_given else None)
    await _push(context)


async def _push(context: Context) -> None:
    async with context.database.read() as connection:
        instance = await rows.get(connection, Instance, context.job.resource_id)
    await together(ensure_server(context, instance.server_at(station)) for station in Station)


async def settle_at_rest(context: Context, failure: Failure | None) -> None:
    """The instance rests as its group does, also when the NIC could not be changed."""
    picture = await context.picture()
    status = REST_OF_INSTANCE.get(picture.group.status, InstanceStatus.AVAILABLE)
    async with context.database.write() as connection:
        await rows.update(connection, Instance, context.job.resource_id, status=status, updated_at=context.now())
        await end_job(connection, context, failure)


ADD_NIC = Flow(
    job_type=JobType.ADD_NIC,
    steps=(Step("plug-in", plug_in, 60.0, undo=discard, failure="SDRS.1317"),),
    settle=settle_at_rest,
)
DELETE_NIC = Flow(
    job_type=JobType.DELETE_NIC,
    steps=(
        Step("pull-out", pull_out, 60.0, undo=plug_in, failure="SDRS.1318"),
        Step("forget-ports", forget_ports, 10.0, is_pivot=True),
    ),
    settle=settle_at_rest,
)
