"""The words for the state of each resource, exactly as the wire shows them.

Source: API reference, appendices A.2 to A.5 and 5.1.1; the replication status from 5.6.3.
"""

from enum import StrEnum


class GroupStatus(StrEnum):
    """Status of a protection group (A.2)."""

    CREATING = "creating"
    AVAILABLE = "available"
    PROTECTED = "protected"
    DELETING = "deleting"
    ERROR_DELETING = "error-deleting"
    ERROR = "error"
    STARTING = "starting"
    ERROR_STARTING = "error-starting"
    REPROTECTING = "reprotecting"
    ERROR_REPROTECTING = "error-reprotecting"
    STOPPING = "stopping"
    ERROR_STOPPING = "error-stopping"
    REVERSING = "reversing"
    ERROR_REVERSING = "error-reversing"
    FAILING_OVER = "failing-over"
    FAILED_OVER = "failed-over"
    ERROR_FAILING_OVER = "error-failing-over"


class InstanceStatus(StrEnum):
    """Status of a protected instance (A.3)."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    ERROR_DELETING = "error-deleting"
    ERROR = "error"
    NIC_CREATING = "nic-creating"
    NIC_DELETING = "nic-deleting"
    STARTING = "starting"
    ERROR_STARTING = "error-starting"
    PROTECTED = "protected"
    REVERSING = "reversing"
    FAILING_OVER = "failing-over"
    FAILED_OVER = "failed-over"
    REPROTECTING = "reprotecting"
    STOPPING = "stopping"
    ERROR_STOPPING = "error-stopping"
    ERROR_REVERSING = "error-reversing"
    ERROR_FAILING_OVER = "error-failing-over"
    ERROR_REPROTECTING = "error-reprotecting"
    RESIZING = "resizing"
    ERROR_RESIZING = "error-resizing"
    INVALID = "invalid"
    FAULT = "fault"


class PairStatus(StrEnum):
    """Status of a replication pair (A.4)."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    ERROR_DELETING = "error-deleting"
    ERROR = "error"
    EXTENDING = "extending"
    ERROR_EXTENDING = "error-extending"
    STARTING = "starting"
    ERROR_STARTING = "error-starting"
    PROTECTED = "protected"
    REVERSING = "reversing"
    FAILING_OVER = "failing-over"
    FAILED_OVER = "failed-over"
    REPROTECTING = "reprotecting"
    STOPPING = "stopping"
    ERROR_STOPPING = "error-stopping"
    ERROR_REVERSING = "error-reversing"
    ERROR_FAILING_OVER = "error-failing-over"
    ERROR_REPROTECTING = "error-reprotecting"
    INVALID = "invalid"
    FAULT = "fault"
    ATTACHING = "attaching"
    DETACHING = "detaching"
    ERROR_ATTACHING = "error-attaching"
    ERROR_DETACHING = "error-detaching"


class DrillStatus(StrEnum):
    """Status of a DR drill (A.5)."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    ERROR_DELETING = "error-deleting"
    ERROR = "error"


class JobStatus(StrEnum):
    """Status of a job (5.1.1)."""

    INIT = "INIT"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"


class ReplicationStatus(StrEnum):
    """Data synchronisation of a pair (5.6.3, MATRIX C9)."""

    INACTIVE = "inactive"
    COPYING = "copying"
    ACTIVE = "active"
    ACTIVE_STOPPED = "active-stopped"


class Station(StrEnum):
    """Which of the two sites of a group, as created, is meant; on the wire `priority_station`."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> "Station":
        """The opposite site."""
        return Station.TARGET if self is Station.SOURCE else Station.SOURCE


class FaultLevel(StrEnum):
    """Fault level of a pair (5.6.3)."""

    NONE = "0"
    PRODUCTION_CANNOT_WRITE = "2"  # a failover is advised
    LINK_DOWN = "5"  # a failover is not allowed
