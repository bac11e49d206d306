"""Change the flavors of a protected instance's servers, which are stopped. Source: API reference 5.5.10."""

from opensdrs.domain.ids import ServerId
from opensdrs.domain.infrastructure import Server
from opensdrs.domain.operations import JobType
from opensdrs.domain.statuses import InstanceStatus
from opensdrs.flows.context import Context
from opensdrs.flows.servers import ensure_server
from opensdrs.flows.settle import REST_OF_INSTANCE, settle_resource
from opensdrs.jobs.flow import Failure, Flow, Step
from opensdrs.jobs.together import together
from opensdrs.store import rows


async def resize(context: Context) -> None:
    """The servers have the wanted flavors and hosts, and their sites know it."""
    await _set(context, "wanted")


async def restore(context: Context) -> None:
    """Undo: the servers are as they were."""
    await _set(context, "before")


async def _set(context: Context, which: str) -> None:
    """`params[which]` has the columns of each server."""
    values = context.param(which)
    async with context.database.write() as connection:
        for server_id, columns in values.items():
            await rows.update(connection, Server, server_id, **columns, updated_at=context.now())
    await together(ensure_server(context, ServerId(server_id)) for server_id in values)


async def settle_at_rest(context: Context, failure: Failure | None) -> None:
    """The instance rests as its group does, or is `error-resizing`."""
    picture = await context.picture()
    status = REST_OF_INSTANCE.get(picture.group.status, InstanceStatus.AVAILABLE)
    await settle_resource(context, failure, status=status)


RESIZE_INSTANCE = Flow(
    job_type=JobType.RESIZE_INSTANCE,
    steps=(Step("resize", resize, 60.0, undo=restore),),
    settle=settle_at_rest,
)
