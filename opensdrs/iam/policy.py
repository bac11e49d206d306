"""Who may do what: one table from the name of an operation to the least role that may do it.

reader: look. operator: operate what exists (protection, failover, drills, power, names). admin: make and delete.
system_admin: what no project owns. The names are those of the route tables (`api/routes.py`, `api/infra/routes.py`);
an operation that is missing here may be done by nobody.
"""

from collections.abc import Mapping

from opensdrs.domain.errors import refused
from opensdrs.iam.caller import Caller
from opensdrs.iam.model import Role

_BY_ROLE: Mapping[Role, tuple[str, ...]] = {
    Role.READER: (
        "show_job", "list_domains", "list_quotas", "list_failures",
        "list_groups", "show_group", "list_instances", "show_instance", "list_pairs", "show_pair",
        "list_drills", "show_drill",
        "list_tags", "list_project_tags", "query_by_tags", "list_rpo_statistics",
        "infra:list", "infra:show", "infra:console",
    ),
    Role.OPERATOR: (
        "rename_group", "operate_group", "rename_instance", "rename_pair", "create_drill", "rename_drill",
        "delete_drill", "dismiss_failure", "dismiss_group_failures", "dismiss_failures_in_group",
        "add_tag", "delete_tag", "change_tags",
        "infra:power", "infra:update", "infra:open",
    ),
    Role.ADMIN: (
        "create_group", "delete_group", "create_instance", "create_instances", "delete_instance", "delete_instances",
        "attach_pair", "detach_pair", "add_nic", "delete_nic", "resize_instance",
        "create_pair", "delete_pair", "extend_pair", "operate_pair",
        "infra:create", "infra:delete", "infra:attach", "infra:detach", "infra:associate", "infra:disassociate",
    ),
    Role.SYSTEM_ADMIN: ("infra:administer",),
}  # fmt: skip

MINIMUM: Mapping[str, Role] = {operation: role for role, names in _BY_ROLE.items() for operation in names}


def check(caller: Caller, operation: str) -> None:
    """Check that a role of the caller allows the operation; the renderer answers 403.

    Raises: SDRS.0003 for a caller without any role, SDRS.0004 where no role of a project is enough, SDRS.0005.
    """
    needed = MINIMUM.get(operation)
    ranks = [role.rank for role in Role if role in caller.roles]
    if needed is None:
        raise refused("SDRS.0005", f"nobody may {operation}")
    if not ranks:
        raise refused("SDRS.0003", f"{caller.user_name} has no role in project {caller.project_id}")
    if needed is Role.SYSTEM_ADMIN and max(ranks) < needed.rank:
        raise refused("SDRS.0004", f"{operation} is for administrators of the system")
    if max(ranks) < needed.rank:
        raise refused(
            "SDRS.0005",
            f"{operation} needs the role {needed} in project {caller.project_name or caller.project_id}",
            remedy=f"Ask an administrator to grant {caller.user_name} the role {needed}.",
        )
