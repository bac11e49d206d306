"""Every job type has exactly one flow, and every flow is well formed."""

import pytest

from opensdrs.domain.operations import JobType
from opensdrs.flows.table import FLOWS


def test_every_job_type_has_one_flow() -> None:
    assert set(FLOWS) == set(JobType)


@pytest.mark.parametrize("job_type", list(JobType))
def test_flow_when_listed_then_well_formed(job_type: JobType) -> None:
    flow = FLOWS[job_type]
    names = [step.name for step in flow.steps]
    assert flow.job_type is job_type
    assert len(names) == len(set(names)) > 0
    assert sum(step.is_pivot for step in flow.steps) <= 1
    pivot = next((index for index, step in enumerate(flow.steps) if step.is_pivot), len(names))
    assert all(step.undo is None for step in flow.steps[pivot:]), "after the pivot a flow only goes forward"


@pytest.mark.parametrize("job_type", list(JobType))
def test_undos_when_pivot_passed_then_none(job_type: JobType) -> None:
    flow = FLOWS[job_type]
    for done in range(1, len(flow.steps) + 1):
        passed = any(step.is_pivot for step in flow.steps[:done])
        undone = flow.undos(done)
        assert not (passed and undone)
        assert [step.name for step in undone] == [
            step.name for step in reversed(flow.steps[:done]) if step.undo is not None and not passed
        ]
