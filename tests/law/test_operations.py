"""The laws of the status tables."""

import pytest

from opensdrs.domain import statuses
from opensdrs.domain.operations import (
    BY_JOB_TYPE,
    GROUP_STATUSES_FOR,
    OPERATIONS,
    JobType,
    Operation,
    Resource,
    is_abnormal,
    is_pending,
)

STATUSES = {
    Resource.GROUP: statuses.GroupStatus,
    Resource.INSTANCE: statuses.InstanceStatus,
    Resource.PAIR: statuses.PairStatus,
    Resource.DRILL: statuses.DrillStatus,
}
NOUNS = {"error": "creating"}  # the one failed status that does not carry its operation's word
IDS = [f"{row.resource}-{row.action}" for row in OPERATIONS]

# Statuses that no operation of this slice leads to, each with its reason.
ELSEWHERE = {
    # set from what the sites report, not by an operation
    (Resource.INSTANCE, "invalid"), (Resource.INSTANCE, "fault"), (Resource.PAIR, "invalid"), (Resource.PAIR, "fault"),
}  # fmt: skip


@pytest.mark.parametrize("row", OPERATIONS, ids=IDS)
def test_failed_operation_may_be_retried(row: Operation) -> None:
    if row.action != "create":  # what could not be created is deleted and created anew
        assert row.failed in row.allowed


@pytest.mark.parametrize("row", OPERATIONS, ids=IDS)
def test_pending_statuses_allow_nothing(row: Operation) -> None:
    assert not {status for status in row.allowed if is_pending(status)}


@pytest.mark.parametrize("row", OPERATIONS, ids=IDS)
def test_failed_status_carries_the_word_of_the_pending_one(row: Operation) -> None:
    if row.failed == row.done:  # A.3 has no failed status for it: the resource stays as it was
        assert row.pending in ("nic-creating", "nic-deleting")
        return
    assert row.pending == NOUNS.get(row.failed, row.failed.removeprefix("error-"))


@pytest.mark.parametrize("row", OPERATIONS, ids=IDS)
def test_words_are_those_of_the_resource(row: Operation) -> None:
    words = set(STATUSES[row.resource])
    assert {row.pending, row.failed, *row.allowed} <= words
    assert row.done is None or row.done in words


def test_every_job_type_has_one_row() -> None:
    assert set(BY_JOB_TYPE) == set(JobType)
    assert len(OPERATIONS) == len(JobType)


@pytest.mark.parametrize("resource", list(Resource))
def test_every_status_is_reachable(resource: Resource) -> None:
    reached: set[str] = set()
    for row in OPERATIONS:
        if row.resource is resource or row.resource is Resource.GROUP:  # a group takes its parts along
            reached |= {row.pending, row.failed, *([row.done] if row.done else [])}
    missing = {status for status in STATUSES[resource] if status not in reached}
    assert {(resource, status) for status in missing} <= ELSEWHERE


@pytest.mark.parametrize("row", [row for row in OPERATIONS if row.resource is Resource.GROUP], ids=lambda r: r.action)
def test_parts_of_a_group_have_the_words_of_its_operations(row: Operation) -> None:
    if row.action in ("create", "delete"):
        return
    for resource in (Resource.INSTANCE, Resource.PAIR):
        assert {row.pending, row.done, row.failed} <= set(STATUSES[resource])


def test_operations_on_parts_name_the_group_statuses_they_need() -> None:
    parts = {row.job_type for row in OPERATIONS if row.resource is not Resource.GROUP}
    assert set(GROUP_STATUSES_FOR) == parts


def test_abnormal_means_error_fault_or_invalid() -> None:
    assert is_abnormal("error-starting") and is_abnormal("fault") and is_abnormal("invalid")
    assert not is_abnormal("protected")
