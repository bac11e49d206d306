"""What a row of the error catalogue is, and the three exceptions of OpenSDRS, split by who recovers.

`Refused`: the caller changes the request. `SiteFault`: the flow retries, then settles failed.
`Superseded`: someone newer is acting, so stop and touch nothing. Anything else is a bug.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the catalogue: what went wrong and what to do about it. Source: API reference, appendix A.1."""

    code: str
    http: int
    message: str
    description: str
    remedy: str


class Refused(Exception):
    """The request cannot be done as it stands; the caller has to change something.

    `detail` says what exactly, in the caller's words; `remedy` overrides the catalogue's general advice.
    """

    def __init__(self, kind: ErrorKind, detail: str = "", *, remedy: str = "") -> None:
        self.kind = kind
        self.detail = detail
        self.remedy = remedy or kind.remedy
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """One line: the catalogue's message, the particular case, and what to do."""
        parts = [self.kind.message.rstrip(".")]
        if self.detail:
            parts.append(self.detail.rstrip("."))
        return ". ".join([*parts, self.remedy])


class Cause(StrEnum):
    """Why a site could not do what it was asked."""

    NOT_FOUND = "not-found"  # the volume, server or group is unknown at the site
    CONFLICT = "conflict"  # the present state forbids it, for example a running server on a DR volume
    NO_SPACE = "no-space"
    UNREACHABLE = "unreachable"  # the agent does not answer: the request may or may not have happened
    TIMEOUT = "timeout"
    FAILED = "failed"  # anything else; `detail` tells


class SiteFault(Exception):
    """A site could not do it. `UNREACHABLE` and `TIMEOUT` are worth another try; the others rarely are."""

    def __init__(self, site: str, verb: str, cause: Cause, detail: str = "") -> None:
        self.site = site
        self.verb = verb
        self.cause = cause
        self.detail = detail
        super().__init__(f"site {site}: {verb}: {cause}{': ' + detail if detail else ''}")

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later without anybody changing anything."""
        return self.cause in (Cause.UNREACHABLE, Cause.TIMEOUT)


class Superseded(Exception):
    """A newer epoch exists: whoever sees this stops acting and touches nothing."""

    def __init__(self, what: str, epoch: int, seen_epoch: int) -> None:
        self.what = what
        self.epoch = epoch
        self.seen_epoch = seen_epoch
        super().__init__(f"{what}: epoch {epoch} is older than {seen_epoch}, which has been seen")
