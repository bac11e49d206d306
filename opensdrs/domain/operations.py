"""The status tables: which operation is allowed in which status, what it passes through, and where it ends.

One row per operation. The laws that every row obeys are tests (`tests/law/test_operations.py`): what failed may be
tried again, a pending status allows nothing, a failed status is `error-` and the pending status's own word, every
status is reachable, every job type has exactly one flow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from opensdrs.domain.statuses import DrillStatus as D
from opensdrs.domain.statuses import GroupStatus as G
from opensdrs.domain.statuses import InstanceStatus as I
from opensdrs.domain.statuses import PairStatus as P


class Resource(StrEnum):
    """The kinds of resources that have a status; the values are those of the task centre (5.9.1)."""

    GROUP = "server_groups"
    INSTANCE = "protected_instances"
    PAIR = "replications"
    DRILL = "disaster_recovery_drills"


class JobType(StrEnum):
    """Every job type (5.1.1); `SUB_*` are the parts of a job on a group or an instance."""

    CREATE_GROUP = "createProtectionGroupNoCG"
    DELETE_GROUP = "deleteProtectionGroupNoCG"
    START_GROUP = "startProtectionGroupNoCG"
    REPROTECT_GROUP = "reprotectProtectionGroupNoCG"
    STOP_GROUP = "stopProtectionGroupNoCG"
    FAILOVER_GROUP = "failoverProtectionGroupNoCG"
    REVERSE_GROUP = "reverseProtectionGroupNoCG"
    CREATE_INSTANCE = "createProtectedInstanceNoCG"
    DELETE_INSTANCE = "deleteProtectedInstanceNoCG"
    ATTACH_PAIR = "attachReplicationPairNew"
    DETACH_PAIR = "detachReplicationPairNew"
    ADD_NIC = "addNicNew"
    DELETE_NIC = "deleteNicNew"
    RESIZE_INSTANCE = "resizeProtectedInstanceNew"
    CREATE_PAIR = "createReplicationPairNoCG"
    DELETE_PAIR = "deleteReplicationPairNoCG"
    EXTEND_PAIR = "expandReplicationPairNew"
    CREATE_DRILL = "createDisasterRecoveryDrill"
    DELETE_DRILL = "deleteDisasterRecoveryDrill"


class FailureStatus(StrEnum):
    """How the task centre names the failure of an operation (5.9.1)."""

    CREATE = "createFail"
    DELETE = "deleteFail"
    ATTACH = "attachFail"
    DETACH = "detachFail"
    EXPAND = "expandFail"
    RESIZE = "resizeFail"
    START = "startFail"
    STOP = "stopFail"
    REVERSE = "reverseFail"
    FAILOVER = "failoverFail"
    REPROTECT = "reprotectFail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: `action` on `resource` moves allowed -> pending -> done, or -> failed.

    `done is None` means the row disappears. Where `failed` equals `done`, a failure leaves the resource as it was (A.3
    has no failed status for NICs). `refusal` is the code for a wrong status, `failure` the code of a job
    that failed without a better one.
    """

    resource: Resource
    action: str
    job_type: JobType
    allowed: frozenset[str]
    pending: str
    done: str | None
    failed: str
    failure_status: FailureStatus
    refusal: str
    failure: str


def _op(
    resource: Resource,
    action: str,
    job_type: JobType,
    allowed: Iterable[str],
    pending: str,
    done: str | None,
    failed: str,
    failure_status: FailureStatus,
    refusal: str,
    failure: str,
) -> Operation:
    return Operation(
        resource=resource,
        action=action,
        job_type=job_type,
        allowed=frozenset(allowed),
        pending=pending,
        done=done,
        failed=failed,
        failure_status=failure_status,
        refusal=refusal,
        failure=failure,
    )


_J, _F = JobType, FailureStatus
_GROUP, _INSTANCE, _PAIR, _DRILL = Resource.GROUP, Resource.INSTANCE, Resource.PAIR, Resource.DRILL
_INSTANCE_REST = {
    I.AVAILABLE, I.PROTECTED, I.FAILED_OVER, I.ERROR_STARTING, I.ERROR_STOPPING, I.ERROR_REVERSING,
    I.ERROR_FAILING_OVER, I.ERROR_DELETING, I.ERROR_REPROTECTING, I.ERROR_RESIZING, I.INVALID, I.FAULT,
}  # fmt: skip
_PAIR_REST = {
    P.AVAILABLE, P.PROTECTED, P.FAILED_OVER, P.ERROR_STARTING, P.ERROR_STOPPING, P.ERROR_REVERSING,
    P.ERROR_FAILING_OVER, P.ERROR_DELETING, P.ERROR_REPROTECTING, P.ERROR_EXTENDING, P.INVALID, P.FAULT,
}  # fmt: skip

# The status of a creation is set by the row itself: it is inserted as `pending`, so `allowed` is empty.
OPERATIONS: tuple[Operation, ...] = (
    # resource, action, job type, allowed, pending, done, failed, failure status, refusal, failure
    _op(_GROUP, "create", _J.CREATE_GROUP, (), G.CREATING, G.AVAILABLE, G.ERROR, _F.CREATE, "SDRS.1002", "SDRS.1014"),
    _op(_GROUP, "delete", _J.DELETE_GROUP, {G.AVAILABLE, G.PROTECTED, G.FAILED_OVER, G.ERROR, G.ERROR_DELETING,
        G.ERROR_STARTING, G.ERROR_STOPPING, G.ERROR_REVERSING, G.ERROR_FAILING_OVER, G.ERROR_REPROTECTING},
        G.DELETING, None, G.ERROR_DELETING, _F.DELETE, "SDRS.1002", "SDRS.1016"),
    _op(_GROUP, "start", _J.START_GROUP, {G.AVAILABLE, G.ERROR_STARTING},
        G.STARTING, G.PROTECTED, G.ERROR_STARTING, _F.START, "SDRS.1002", "SDRS.1027"),
    _op(_GROUP, "reprotect", _J.REPROTECT_GROUP, {G.FAILED_OVER, G.ERROR_REPROTECTING},
        G.REPROTECTING, G.PROTECTED, G.ERROR_REPROTECTING, _F.REPROTECT, "SDRS.1002", "SDRS.1032"),
    _op(_GROUP, "stop", _J.STOP_GROUP, {G.PROTECTED, G.ERROR_STOPPING},
        G.STOPPING, G.AVAILABLE, G.ERROR_STOPPING, _F.STOP, "SDRS.1002", "SDRS.1028"),
    _op(_GROUP, "reverse", _J.REVERSE_GROUP, {G.PROTECTED, G.ERROR_REVERSING},
        G.REVERSING, G.PROTECTED, G.ERROR_REVERSING, _F.REVERSE, "SDRS.1002", "SDRS.1029"),
    _op(_GROUP, "failover", _J.FAILOVER_GROUP, {G.PROTECTED, G.ERROR_FAILING_OVER, G.ERROR_REVERSING},
        G.FAILING_OVER, G.FAILED_OVER, G.ERROR_FAILING_OVER, _F.FAILOVER, "SDRS.1002", "SDRS.1030"),
    _op(_INSTANCE, "create", _J.CREATE_INSTANCE, (), I.CREATING, I.AVAILABLE, I.ERROR, _F.CREATE,
        "SDRS.1328", "SDRS.1350"),
    _op(_INSTANCE, "delete", _J.DELETE_INSTANCE, _INSTANCE_REST | {I.ERROR}, I.DELETING, None, I.ERROR_DELETING,
        _F.DELETE, "SDRS.1301", "SDRS.1351"),
    _op(_INSTANCE, "add-nic", _J.ADD_NIC, {I.AVAILABLE, I.PROTECTED}, I.NIC_CREATING, I.AVAILABLE, I.AVAILABLE,
        _F.ATTACH, "SDRS.1327", "SDRS.1312"),
    _op(_INSTANCE, "delete-nic", _J.DELETE_NIC, {I.AVAILABLE, I.PROTECTED}, I.NIC_DELETING, I.AVAILABLE, I.AVAILABLE,
        _F.DETACH, "SDRS.1327", "SDRS.1313"),
    _op(_INSTANCE, "resize", _J.RESIZE_INSTANCE, {I.AVAILABLE, I.PROTECTED, I.ERROR_RESIZING},
        I.RESIZING, I.AVAILABLE, I.ERROR_RESIZING, _F.RESIZE, "SDRS.1328", "SDRS.1329"),
    _op(_PAIR, "create", _J.CREATE_PAIR, (), P.CREATING, P.AVAILABLE, P.ERROR, _F.CREATE, "SDRS.1601", "SDRS.1609"),
    _op(_PAIR, "delete", _J.DELETE_PAIR, _PAIR_REST | {P.ERROR, P.ERROR_ATTACHING, P.ERROR_DETACHING},
        P.DELETING, None, P.ERROR_DELETING, _F.DELETE, "SDRS.1601", "SDRS.1607"),
    _op(_PAIR, "attach", _J.ATTACH_PAIR, {P.AVAILABLE, P.PROTECTED, P.ERROR_ATTACHING},
        P.ATTACHING, P.AVAILABLE, P.ERROR_ATTACHING, _F.ATTACH, "SDRS.1601", "SDRS.1821"),
    _op(_PAIR, "detach", _J.DETACH_PAIR, _PAIR_REST | {P.ERROR_ATTACHING, P.ERROR_DETACHING},
        P.DETACHING, P.AVAILABLE, P.ERROR_DETACHING, _F.DETACH, "SDRS.1601", "SDRS.1822"),
    _op(_PAIR, "extend", _J.EXTEND_PAIR, {P.AVAILABLE, P.PROTECTED, P.ERROR_EXTENDING},
        P.EXTENDING, P.AVAILABLE, P.ERROR_EXTENDING, _F.EXPAND, "SDRS.1601", "SDRS.1820"),
    _op(_DRILL, "create", _J.CREATE_DRILL, (), D.CREATING, D.AVAILABLE, D.ERROR, _F.CREATE, "SDRS.1913", "SDRS.1922"),
    _op(_DRILL, "delete", _J.DELETE_DRILL, {D.AVAILABLE, D.ERROR, D.ERROR_DELETING},
        D.DELETING, None, D.ERROR_DELETING, _F.DELETE, "SDRS.1913", "SDRS.1923"),
)  # fmt: skip

BY_JOB_TYPE: dict[JobType, Operation] = {row.job_type: row for row in OPERATIONS}

# In which statuses of its group may an operation on a part of the group start? Source: the "Constraints" of 5.5 - 5.7.
GROUP_STATUSES_FOR: dict[JobType, frozenset[str]] = {
    JobType.CREATE_INSTANCE: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.DELETE_INSTANCE: frozenset(row for row in G) - {
        G.CREATING, G.DELETING, G.STARTING, G.REPROTECTING, G.STOPPING, G.REVERSING, G.FAILING_OVER},
    JobType.ADD_NIC: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.DELETE_NIC: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.RESIZE_INSTANCE: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.CREATE_PAIR: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.DELETE_PAIR: frozenset({G.AVAILABLE, G.PROTECTED, G.FAILED_OVER, G.ERROR_STARTING, G.ERROR_STOPPING,
        G.ERROR_REVERSING, G.ERROR_FAILING_OVER, G.ERROR_DELETING, G.ERROR_REPROTECTING}),
    JobType.ATTACH_PAIR: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.DETACH_PAIR: frozenset({G.AVAILABLE, G.PROTECTED, G.FAILED_OVER, G.ERROR_STARTING, G.ERROR_STOPPING,
        G.ERROR_REVERSING, G.ERROR_FAILING_OVER}),
    JobType.EXTEND_PAIR: frozenset({G.AVAILABLE, G.PROTECTED}),
    JobType.CREATE_DRILL: frozenset({G.AVAILABLE, G.PROTECTED, G.FAILED_OVER, G.ERROR_STARTING, G.ERROR_STOPPING,
        G.ERROR_REVERSING, G.ERROR_REPROTECTING, G.ERROR_FAILING_OVER}),
    JobType.DELETE_DRILL: frozenset(G) - {G.CREATING},
}  # fmt: skip


def is_pending(status: str) -> bool:
    """Whether a job is at work on a resource with this status: busy means busy."""
    return any(status == row.pending for row in OPERATIONS)


def is_abnormal(status: str) -> bool:
    """Whether a status is what `query_type=status_abnormal` asks for."""
    return status.startswith("error") or status in ("fault", "invalid")
