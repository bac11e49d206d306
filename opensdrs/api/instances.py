"""Endpoints of protected instances. Source: 5.5."""

from typing import Any

from opensdrs.api import views
from opensdrs.api.call import Call, Endpoint, job_answer
from opensdrs.api.query import read_filter
from opensdrs.domain.ids import InstanceId, PairId
from opensdrs.services.requests import (
    InstanceDeletion,
    InstancesDeletion,
    NewInstance,
    NewInstances,
    NewNic,
    NicDeletion,
    PairAttach,
    Resize,
)


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
    return job_answer(await call.services.instance_deletion.delete(call.caller, _id(call), wanted))


async def _create_batch(call: Call) -> Any:
    wanted = call.read("protected_instances", NewInstances)
    return job_answer(await call.services.instance_creation.create_batch(call.caller, wanted))


async def _delete_batch(call: Call) -> Any:
    wanted = call.read_whole(InstancesDeletion)
    return job_answer(await call.services.instance_deletion.delete_batch(call.caller, wanted))


async def _attach(call: Call) -> Any:
    wanted = call.read("replicationAttachment", PairAttach)
    return job_answer(await call.services.attachments.attach(call.caller, _id(call), wanted))


async def _detach(call: Call) -> Any:
    pair_id = PairId(call.path["replication_id"])
    return job_answer(await call.services.attachments.detach(call.caller, _id(call), pair_id))


async def _add_nic(call: Call) -> Any:
    return job_answer(await call.services.nics.add(call.caller, _id(call), call.read_whole(NewNic)))


async def _delete_nic(call: Call) -> Any:
    return job_answer(await call.services.nics.delete(call.caller, _id(call), call.read_whole(NicDeletion)))


async def _resize(call: Call) -> Any:
    return job_answer(await call.services.resizing.resize(call.caller, _id(call), call.read("resize", Resize)))


ENDPOINTS: dict[str, Endpoint] = {
    "create_instance": _create,
    "create_instances": _create_batch,
    "delete_instances": _delete_batch,
    "list_instances": _list,
    "show_instance": _show,
    "rename_instance": _rename,
    "delete_instance": _delete,
    "attach_pair": _attach,
    "detach_pair": _detach,
    "add_nic": _add_nic,
    "delete_nic": _delete_nic,
    "resize_instance": _resize,
}
