"""Endpoints of tags. Source: 5.8."""

from typing import Any

from opensdrs.api import views
from opensdrs.api.call import Call, Endpoint
from opensdrs.domain.ids import InstanceId
from opensdrs.services.requests import NewTag, TagChange, TagQuery


def _id(call: Call) -> InstanceId:
    return InstanceId(call.path["protected_instance_id"])


async def _query(call: Call) -> Any:
    wanted = call.read_whole(TagQuery)
    page, count = await call.services.tags.query(call.caller, wanted)
    if wanted.action == "count":
        return {"total_count": count}
    return {"resources": [views.tagged(view) for view in page], "total_count": count}


async def _change(call: Call) -> None:
    await call.services.tags.change(call.caller, _id(call), call.read_whole(TagChange))


async def _add(call: Call) -> None:
    await call.services.tags.add(call.caller, _id(call), [call.read("tag", NewTag)])


async def _delete(call: Call) -> None:
    await call.services.tags.delete(call.caller, _id(call), call.path["key"])


async def _list(call: Call) -> Any:
    return {"tags": [views.tag(row) for row in await call.services.tags.list(call.caller, _id(call))]}


async def _list_all(call: Call) -> Any:
    found = await call.services.tags.list_all(call.caller)
    return {"tags": [{"key": key, "values": values} for key, values in found.items()]}


ENDPOINTS: dict[str, Endpoint] = {
    "query_by_tags": _query,
    "change_tags": _change,
    "add_tag": _add,
    "delete_tag": _delete,
    "list_tags": _list,
    "list_project_tags": _list_all,
}
