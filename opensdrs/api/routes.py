"""Every route of SDRS: method, path, operation (the policy's word for it), success status. Source: chapter 5.

The handlers are made from this table (`app.py`); an operation without an endpoint stops the start.
"""

from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `path` is relative to `/v1/{project_id}`."""

    method: Method
    path: str
    operation: str
    success: int = 200


_GROUP = "/server-groups/{server_group_id:str}"
_INSTANCE = "/protected-instances/{protected_instance_id:str}"
_PAIR = "/replications/{replication_id:str}"
_DRILL = "/disaster-recovery-drills/{disaster_recovery_drill_id:str}"
_FAILURES = "/task-center/failure-jobs"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/jobs/{job_id:str}", "show_job"),
    Route("GET", "/active-domains", "list_domains"),
    Route("POST", "/server-groups", "create_group"),
    Route("GET", "/server-groups", "list_groups"),
    Route("GET", _GROUP, "show_group"),
    Route("PUT", _GROUP, "rename_group"),
    Route("DELETE", _GROUP, "delete_group"),
    Route("POST", f"{_GROUP}/action", "operate_group"),
    Route("POST", "/protected-instances", "create_instance"),
    Route("GET", "/protected-instances", "list_instances"),
    Route("POST", "/protected-instances/batch", "create_instances", 202),
    Route("POST", "/protected-instances/delete", "delete_instances", 202),
    Route("POST", "/protected-instances/resource_instances/action", "query_by_tags"),
    Route("GET", "/protected-instances/tags", "list_project_tags"),
    Route("GET", f"{_INSTANCE}/tags", "list_tags"),
    Route("POST", f"{_INSTANCE}/tags", "add_tag", 204),
    Route("POST", f"{_INSTANCE}/tags/action", "change_tags", 204),
    Route("DELETE", f"{_INSTANCE}/tags/{{key:str}}", "delete_tag", 204),
    Route("GET", _INSTANCE, "show_instance"),
    Route("PUT", _INSTANCE, "rename_instance"),
    Route("DELETE", _INSTANCE, "delete_instance"),
    Route("POST", f"{_INSTANCE}/attachreplication", "attach_pair"),
    Route("DELETE", f"{_INSTANCE}/detachreplication/{{replication_id:str}}", "detach_pair"),
    Route("POST", f"{_INSTANCE}/nic", "add_nic"),
    Route("POST", f"{_INSTANCE}/nic/delete", "delete_nic"),
    Route("POST", f"{_INSTANCE}/resize", "resize_instance"),
    Route("POST", "/replications", "create_pair"),
    Route("GET", "/replications", "list_pairs"),
    Route("GET", _PAIR, "show_pair"),
    Route("PUT", _PAIR, "rename_pair"),
    Route("DELETE", _PAIR, "delete_pair"),
    Route("POST", f"{_PAIR}/action", "extend_pair"),
    Route("POST", "/disaster-recovery-drills", "create_drill"),
    Route("GET", "/disaster-recovery-drills", "list_drills"),
    Route("GET", _DRILL, "show_drill"),
    Route("PUT", _DRILL, "rename_drill"),
    Route("DELETE", _DRILL, "delete_drill"),
    Route("GET", _FAILURES, "list_failures"),
    Route("DELETE", f"{_FAILURES}/batch", "dismiss_group_failures", 204),
    Route("DELETE", f"{_FAILURES}/{{failure_job_id:str}}", "dismiss_failure", 204),
    Route("DELETE", "/task-center/{server_group_id:str}/failure-jobs/batch", "dismiss_failures_in_group", 204),
    Route("GET", "/sdrs/quotas", "list_quotas"),
    Route("GET", "/resource/rpo-statistics", "list_rpo_statistics"),
)

# Routes that need neither a token nor a signature, by method and path; the keystone routes are in `keystone.py`.
PUBLIC: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/{api_version}"),
        ("GET", "/v3"),
        ("POST", "/v3/auth/tokens"),
        ("GET", "/healthz"),
        ("GET", "/openapi"),
        ("GET", "/openapi/openapi.json"),
    }
)
