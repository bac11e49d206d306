"""Endpoints of protection groups. Source: 5.4."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from opensdrs.api import views
from opensdrs.api.bodies import read
from opensdrs.api.call import Call, Endpoint, job_answer
from opensdrs.api.query import read_filter
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId, JobId
from opensdrs.services.requests import NewGroup, Reversal


def _id(call: Call) -> GroupId:
    return GroupId(call.path["server_group_id"])


async def _create(call: Call) -> Any:
    return job_answer(await call.services.groups.create(call.caller, call.read("server_group", NewGroup)))


async def _list(call: Call) -> Any:
    page, count = await call.services.groups.list(call.caller, read_filter(call.query))
    return {"count": count, "server_groups": [views.group(view) for view in page]}


async def _show(call: Call) -> Any:
    return {"server_group": views.group(await call.services.groups.get(call.caller, _id(call)))}


async def _rename(call: Call) -> Any:
    name = call.read_name("server_group")
    return {"server_group": views.group(await call.services.groups.rename(call.caller, _id(call), name))}


async def _delete(call: Call) -> Any:
    return job_answer(await call.services.groups.delete(call.caller, _id(call)))


async def _start(call: Call, _: Mapping[str, Any]) -> JobId:
    return await call.services.group_operations.protect(call.caller, _id(call))


async def _reprotect(call: Call, _: Mapping[str, Any]) -> JobId:
    return await call.services.group_operations.reprotect(call.caller, _id(call))


async def _stop(call: Call, _: Mapping[str, Any]) -> JobId:
    return await call.services.group_operations.stop(call.caller, _id(call))


async def _failover(call: Call, _: Mapping[str, Any]) -> JobId:
    return await call.services.group_operations.failover(call.caller, _id(call))


async def _reverse(call: Call, document: Mapping[str, Any]) -> JobId:
    wanted = read(document, "reverse-server-group", Reversal)
    return await call.services.group_operations.reverse(call.caller, _id(call), wanted.priority_station)


_ACTIONS: Mapping[str, Callable[[Call, Mapping[str, Any]], Awaitable[JobId]]] = {
    "start-server-group": _start,
    "reprotect-server-group": _reprotect,
    "stop-server-group": _stop,
    "failover-server-group": _failover,
    "reverse-server-group": _reverse,
}


async def _operate(call: Call) -> Any:
    """Raises: SDRS.0206 unless the body names exactly one known action (MATRIX A8)."""
    document = call.document()
    named = [word for word in document if word in _ACTIONS]
    if len(named) != 1 or len(document) != 1:
        raise refused("SDRS.0206", f"the body names exactly one of {', '.join(_ACTIONS)}")
    if document[named[0]] is not None and not isinstance(document[named[0]], dict):
        raise refused("SDRS.0201", f"{named[0]} is not an object")
    return job_answer(await _ACTIONS[named[0]](call, document))


ENDPOINTS: dict[str, Endpoint] = {
    "create_group": _create,
    "list_groups": _list,
    "show_group": _show,
    "rename_group": _rename,
    "delete_group": _delete,
    "operate_group": _operate,
}
