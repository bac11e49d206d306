"""Every job type and its flow: one row each, checked against the status table by `tests/law/test_flows.py`."""

from collections.abc import Mapping

from opensdrs.domain.operations import JobType
from opensdrs.flows import drills, extension, failover, instances, nics, pairs, planned, protection, resizing
from opensdrs.flows.context import Context
from opensdrs.jobs.flow import Flow

FLOWS: Mapping[JobType, Flow[Context]] = {
    flow.job_type: flow
    for flow in (
        protection.CREATE_GROUP,
        protection.DELETE_GROUP,
        protection.START_GROUP,
        protection.REPROTECT_GROUP,
        protection.STOP_GROUP,
        failover.FAILOVER_GROUP,
        planned.REVERSE_GROUP,
        instances.CREATE_INSTANCE,
        instances.DELETE_INSTANCE,
        nics.ADD_NIC,
        nics.DELETE_NIC,
        resizing.RESIZE_INSTANCE,
        pairs.CREATE_PAIR,
        pairs.DELETE_PAIR,
        pairs.ATTACH_PAIR,
        pairs.DETACH_PAIR,
        extension.EXTEND_PAIR,
        drills.CREATE_DRILL,
        drills.DELETE_DRILL,
    )
}
