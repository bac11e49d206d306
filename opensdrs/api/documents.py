"""What each operation of SDRS takes and answers, for the API document. Paths and statuses are in the table of routes.

A dictionary stands for an object whose keys must all be there, a type for its schema. The bodies are the structs that
requests are decoded into, the answers those that the renderers build, so the document cannot drift from either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opensdrs.api import answers
from opensdrs.services import requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One operation. `body_optional`: a deletion's; `query`: names of parameters, described in `openapi_parts`."""

    summary: str
    source: str
    answer: Any = None
    body: Any = None
    body_optional: bool = False
    query: tuple[str, ...] = ()
    tag: str = ""


class OneAction:
    """Exactly one of the keys, with what belongs to it."""

    def __init__(self, **kinds: Any) -> None:
        self.kinds = kinds


_PAGE = ("limit", "offset", "marker")
_STATUS = ("status", "name", "query_type", "availability_zone")
_GROUPS, _INSTANCES = ("server_group_id", "server_group_ids"), ("protected_instance_id", "protected_instance_ids")
_NOTHING: dict[str, Any] = {}


def _row(source: str, tag: str, summary: str, **fields: Any) -> Document:
    return Document(source=source, tag=tag, summary=summary, **fields)


def _list(key: str, kind: Any) -> dict[str, Any]:
    return {"count": int, key: list[kind]}


_J, _G, _I, _R = "jobs and quotas", "protection groups", "protected instances", "replication pairs"
_D, _T, _F = "DR drills", "tags", "task centre"
_JOB = answers.Accepted
DOCUMENTS: Mapping[str, Document] = {
    "show_job": _row("5.1.1", _J, "Show a job and what it made.", answer=answers.Job),
    "list_domains": _row("5.3.1", _J, "List active-active domains.", answer={"domains": list[answers.Domain]}),
    "list_quotas": _row("5.10.1", _J, "List quotas and how much of them is used.", answer={"quotas": answers.Quotas}),
    "list_rpo_statistics": _row(
        "the clients", _J, "List the minutes in which the copies were behind.",
        answer=_list("resource_rpo_statistics", answers.RpoPoint),
        query=("limit", "offset", "start_time", "end_time", "rpo_resource_type"),
    ),
    "create_group": _row("5.4.1", _G, "Create a protection group.", answer=_JOB,
                         body={"server_group": requests.NewGroup}),
    "list_groups": _row("5.4.2", _G, "List protection groups.", answer=_list("server_groups", answers.Group),
                        query=(*_PAGE, *_STATUS)),
    "show_group": _row("5.4.3", _G, "Show a protection group.", answer={"server_group": answers.Group}),
    "delete_group": _row("5.4.4", _G, "Delete a protection group.", answer=_JOB),
    "rename_group": _row("5.4.5", _G, "Rename a protection group.", answer={"server_group": answers.Group},
                         body={"server_group": requests.Named}),
    "operate_group": _row(
        "5.4.6 - 5.4.9", _G, "Enable, re-enable or disable protection, fail over, or swap the sites.", answer=_JOB,
        body=OneAction(**{
            "start-server-group": _NOTHING, "reprotect-server-group": _NOTHING, "stop-server-group": _NOTHING,
            "failover-server-group": _NOTHING, "reverse-server-group": requests.Reversal,
        }),
    ),
    "create_instance": _row("5.5.1", _I, "Protect a server: create a protected instance.", answer=_JOB,
                            body={"protected_instance": requests.NewInstance}),
    "delete_instance": _row("5.5.2", _I, "Delete a protected instance.", answer=_JOB,
                            body=requests.InstanceDeletion, body_optional=True),
    "list_instances": _row("5.5.3", _I, "List protected instances.",
                           answer=_list("protected_instances", answers.Instance),
                           query=(*_PAGE, *_STATUS, *_GROUPS, "protected_instance_ids")),
    "show_instance": _row("5.5.4", _I, "Show a protected instance.", answer={"protected_instance": answers.Instance}),
    "rename_instance": _row("5.5.5", _I, "Rename a protected instance.",
                            answer={"protected_instance": answers.Instance},
                            body={"protected_instance": requests.Named}),
    "attach_pair": _row("5.5.6", _I, "Attach a replication pair.", answer=_JOB,
                        body={"replicationAttachment": requests.PairAttach}),
    "detach_pair": _row("5.5.7", _I, "Detach a replication pair.", answer=_JOB),
    "add_nic": _row("5.5.8", _I, "Add a NIC to both servers.", answer=_JOB, body=requests.NewNic),
    "delete_nic": _row("5.5.9", _I, "Delete a NIC from both servers.", answer=_JOB, body=requests.NicDeletion),
    "resize_instance": _row("5.5.10", _I, "Change the flavors of the servers, which are stopped.", answer=_JOB,
                            body={"resize": requests.Resize}),
    "create_instances": _row("5.5.11", _I, "Create several protected instances.", answer=_JOB,
                             body={"protected_instances": requests.NewInstances}),
    "delete_instances": _row("5.5.12", _I, "Delete several protected instances.", answer=_JOB,
                             body=requests.InstancesDeletion),
    "create_pair": _row("5.6.1", _R, "Create a replication pair.", answer=_JOB, body={"replication": requests.NewPair}),
    "delete_pair": _row("5.6.2", _R, "Delete a replication pair.", answer=_JOB,
                        body={"replication": requests.PairDeletion}, body_optional=True),
    "list_pairs": _row("5.6.3", _R, "List replication pairs.", answer=_list("replications", answers.Pair),
                       query=(*_PAGE, *_STATUS, *_GROUPS, *_INSTANCES, "volume_id")),
    "show_pair": _row("5.6.4", _R, "Show a replication pair.", answer={"replication": answers.Pair}),
    "extend_pair": _row("5.6.5", _R, "Let both disks grow.", answer=_JOB,
                        body={"extend-replication": requests.Extension}),
    "rename_pair": _row("5.6.6", _R, "Rename a replication pair.", answer={"replication": answers.Pair},
                        body={"replication": requests.Named}),
    "create_drill": _row("5.7.1", _D, "Create a DR drill.", answer=_JOB,
                         body={"disaster_recovery_drill": requests.NewDrill}),
    "list_drills": _row("5.7.2", _D, "List DR drills.", answer=_list("disaster_recovery_drills", answers.Drill),
                        query=(*_PAGE, "status", "name", "server_group_id", "drill_vpc_id")),
    "show_drill": _row("5.7.3", _D, "Show a DR drill.", answer={"disaster_recovery_drill": answers.Drill}),
    "rename_drill": _row("5.7.4", _D, "Rename a DR drill.", answer={"disaster_recovery_drill": answers.Drill},
                         body={"disaster_recovery_drill": requests.Named}),
    "delete_drill": _row("5.7.5", _D, "Delete a DR drill.", answer=_JOB),
    "query_by_tags": _row("5.8.1", _T, "Find protected instances by their tags.", answer=answers.TaggedInstances,
                          body=requests.TagQuery),
    "change_tags": _row("5.8.2, 5.8.3", _T, "Add or delete several tags.", body=requests.TagChange),
    "add_tag": _row("5.8.4", _T, "Add a tag.", body={"tag": requests.NewTag}),
    "delete_tag": _row("5.8.5", _T, "Delete a tag."),
    "list_tags": _row("5.8.6", _T, "List the tags of a protected instance.", answer={"tags": list[answers.Tag]}),
    "list_project_tags": _row("5.8.7", _T, "List the tags of all protected instances.",
                              answer={"tags": list[answers.ProjectTag]}),
    "list_failures": _row("5.9.1", _F, "List failed jobs.", answer=_list("failure_jobs", answers.Failure),
                          query=(*_PAGE, "failure_status", "resource_name", "resource_type", "server_group_id")),
    "dismiss_failure": _row("5.9.2", _F, "Hide a failed job."),
    "dismiss_group_failures": _row("5.9.3", _F, "Hide all failed jobs of protection groups."),
    "dismiss_failures_in_group": _row("5.9.4", _F, "Hide all failed jobs within a protection group."),
}  # fmt: skip
