"""Endpoints of jobs, domains, quotas, RPO statistics and the task centre. Source: 5.1, 5.3, 5.9, 5.10."""

from typing import Any

from opensdrs.api import views
from opensdrs.api.call import Call, Endpoint
from opensdrs.api.query import read_failure_filter, read_rpo_filter
from opensdrs.domain.ids import GroupId, JobId


async def _show_job(call: Call) -> Any:
    return views.job(await call.services.jobs.get(call.caller, JobId(call.path["job_id"])))


async def _list_domains(call: Call) -> Any:
    return {"domains": [views.domain(row) for row in await call.services.domains.list()]}


async def _list_quotas(call: Call) -> Any:
    return {"quotas": {"resources": [views.quota(view) for view in await call.services.quotas.list(call.caller)]}}


async def _list_rpo(call: Call) -> Any:
    page, count = await call.services.rpo.list(call.caller, read_rpo_filter(call.query))
    return {"count": count, "resource_rpo_statistics": [views.rpo_point(point) for point in page]}


async def _list_failures(call: Call) -> Any:
    page, count = await call.services.failures.list(call.caller, read_failure_filter(call.query))
    return {"count": count, "failure_jobs": [views.failure(row) for row in page]}


async def _dismiss(call: Call) -> None:
    await call.services.failures.dismiss(call.caller, call.path["failure_job_id"])


async def _dismiss_groups(call: Call) -> None:
    await call.services.failures.dismiss_groups(call.caller)


async def _dismiss_in_group(call: Call) -> None:
    await call.services.failures.dismiss_in_group(call.caller, GroupId(call.path["server_group_id"]))


ENDPOINTS: dict[str, Endpoint] = {
    "show_job": _show_job,
    "list_domains": _list_domains,
    "list_quotas": _list_quotas,
    "list_rpo_statistics": _list_rpo,
    "list_failures": _list_failures,
    "dismiss_failure": _dismiss,
    "dismiss_group_failures": _dismiss_groups,
    "dismiss_failures_in_group": _dismiss_in_group,
}
