"""Endpoints of replication pairs. Source: 5.6."""

from typing import Any

from opensdrs.api import views
from opensdrs.api.bodies import read
from opensdrs.api.call import Call, Endpoint, job_answer
from opensdrs.api.query import read_filter
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import PairId
from opensdrs.services.requests import Extension, NewPair, PairDeletion


def _id(call: Call) -> PairId:
    return PairId(call.path["replication_id"])


async def _create(call: Call) -> Any:
    return job_answer(await call.services.pairs.create(call.caller, call.read("replication", NewPair)))


async def _list(call: Call) -> Any:
    page, count = await call.services.pairs.list(call.caller, read_filter(call.query))
    return {"count": count, "replications": [views.pair(view) for view in page]}


async def _show(call: Call) -> Any:
    return {"replication": views.pair(await call.services.pairs.get(call.caller, _id(call)))}


async def _rename(call: Call) -> Any:
    name = call.read_name("replication")
    return {"replication": views.pair(await call.services.pairs.rename(call.caller, _id(call), name))}


async def _delete(call: Call) -> Any:
    wanted = call.read_optional("replication", PairDeletion)
    return job_answer(await call.services.pairs.delete(call.caller, _id(call), wanted))


async def _operate(call: Call) -> Any:
    """Raises: SDRS.0206 unless the body names the one known action (MATRIX A8)."""
    document = call.document()
    if list(document) != ["extend-replication"]:
        raise refused("SDRS.0206", "the body names extend-replication and nothing else")
    wanted = read(document, "extend-replication", Extension)
    return job_answer(await call.services.extension.extend(call.caller, _id(call), wanted))


ENDPOINTS: dict[str, Endpoint] = {
    "create_pair": _create,
    "list_pairs": _list,
    "show_pair": _show,
    "rename_pair": _rename,
    "delete_pair": _delete,
    "extend_pair": _operate,
}
