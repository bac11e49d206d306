"""Endpoints of protected instances. Source: 5.5."""

from typing import Any

from opensdrs.api import views
from opensdrs.api.call import Call, Endpoint, job_answer
from opensdrs.api.query import read_filter
from opensdrs.domain.ids import InstanceId, PairId
from opensdrs.services.requests import InstanceDeletion, NewInstance, PairAttach


def _id(call: Call) -> InstanceId:
    return InstanceId(call.path["protected_instance_id"])


async def _create(call: Call) -> Any:
    wanted = call.read("protected_instance", NewInstance)
    return job_answer(await call.services.instance_creation.create(call.caller, wanted))


async def _list(call: Call) -> Any:
    page, count = await call.services.instances.list(call.caller, read_filter(call.query))
    return {"count": count, "protected_instances": [views.instance(view) for view in page]}


async def _show(call: Call) -> Any:
    return {"protected_instance": views.instance(await call.services.instances.get(call.caller, _id(call)))}


async def _rename(call: Call) -> Any:
    name = call.read_name("protected_instance")
    return {"protected_instance": views.instance(await call.services.instances.rename(call.caller, _id(call), name))}


async def _delete(call: Call) -> Any:
    wanted = call.read_optional(None, InstanceDeletion)
    return job_answer(await call.services.instances.delete(call.caller, _id(call), wanted))


async def _attach(call: Call) -> Any:
    wanted = call.read("replicationAttachment", PairAttach)
    return job_answer(await call.services.attachments.attach(call.caller, _id(call), wanted))


async def _detach(call: Call) -> Any:
    pair_id = PairId(call.path["replication_id"])
    return job_answer(await call.services.attachments.detach(call.caller, _id(call), pair_id))


ENDPOINTS: dict[str, Endpoint] = {
    "create_instance": _create,
    "list_instances": _list,
    "show_instance": _show,
    "rename_instance": _rename,
    "delete_instance": _delete,
    "attach_pair": _attach,
    "detach_pair": _detach,
}
