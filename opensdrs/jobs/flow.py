"""What a flow is: the ordered, idempotent steps of one job type, as data.

A step may run more than once: after a crash, and again after a transient fault of a site. Before the pivot a step may
have an undo; after it a flow only goes forward (a promoted site is never demoted by itself).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.operations import JobType

C = TypeVar("C")
Action = Callable[[C], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step(Generic[C]):
    """One step. `timeout_s` bounds the step with all its retries; None: the step bounds itself by its progress.

    `failure` is the code when a site says that it cannot do it, `failures` the codes for particular causes. A site that
    does not answer says nothing about disks or servers: then the code is the operation's own.
    """

    name: str
    act: Action[C]
    timeout_s: float | None = 60.0
    undo: Action[C] | None = None
    is_pivot: bool = False
    failure: str | None = None
    failures: Mapping[Cause, str] = field(default_factory=dict)

    def code_of(self, fault: SiteFault) -> str | None:
        """Return the code for a fault of a site; None: that of the operation."""
        return None if fault.is_transient else self.failures.get(fault.cause, self.failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job failed: `code` of the catalogue, `reason` in words. `is_superseded`: nothing may be undone."""

    code: str
    reason: str
    is_superseded: bool = False

    def left_behind(self, undo: "Failure | None") -> "Failure":
        """Return what to say when undoing failed as well: something may be left behind."""
        if undo is None:
            return self
        return Failure(code="SDRS.0407", reason=f"{self.reason}; and what was begun is not undone: {undo.reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow(Generic[C]):
    """The steps of one job type, and how its resources settle (`None`: it succeeded)."""

    job_type: JobType
    steps: tuple[Step[C], ...]
    settle: Callable[[C, Failure | None], Awaitable[None]]

    def undos(self, done: int) -> tuple[Step[C], ...]:
        """Return the steps to undo, last first, when `done` steps ran (the last of them perhaps half-way)."""
        ran = self.steps[:done]
        if any(step.is_pivot for step in ran):
            return ()
        return tuple(step for step in reversed(ran) if step.undo is not None)
