"""What may go wrong in a lab and is told in a sentence instead of a traceback."""

from opensdrs.cli.client import ApiError, Unreachable
from opensdrs.lab.api import JobError
from opensdrs.lab.guest.build import GuestBuildError
from opensdrs.lab.processes import LabError

TROUBLE = (ApiError, JobError, LabError, GuestBuildError, Unreachable, TimeoutError, OSError)
