"""Endpoints of DR drills. Source: 5.7."""

from typing import Any

from opensdrs.api import views
from opensdrs.api.call import Call, Endpoint, job_answer
from opensdrs.api.query import read_filter
from opensdrs.domain.ids import DrillId
from opensdrs.services.requests import NewDrill


def _id(call: Call) -> DrillId:
    return DrillId(call.path["disaster_recovery_drill_id"])


async def _create(call: Call) -> Any:
    wanted = call.read("disaster_recovery_drill", NewDrill)
    return job_answer(await call.services.drill_creation.create(call.caller, wanted))


async def _list(call: Call) -> Any:
    page, count = await call.services.drills.list(call.caller, read_filter(call.query))
    return {"count": count, "disaster_recovery_drills": [views.drill(view) for view in page]}


async def _show(call: Call) -> Any:
    return {"disaster_recovery_drill": views.drill(await call.services.drills.get(call.caller, _id(call)))}


async def _rename(call: Call) -> Any:
    name = call.read_name("disaster_recovery_drill")
    return {"disaster_recovery_drill": views.drill(await call.services.drills.rename(call.caller, _id(call), name))}


async def _delete(call: Call) -> Any:
    return job_answer(await call.services.drills.delete(call.caller, _id(call)))


ENDPOINTS: dict[str, Endpoint] = {
    "create_drill": _create,
    "list_drills": _list,
    "show_drill": _show,
    "rename_drill": _rename,
    "delete_drill": _delete,
}
