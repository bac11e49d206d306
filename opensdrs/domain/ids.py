"""A type for every id, so that a volume's id never lands where a server's belongs."""

import re
import uuid
from typing import NewType

ProjectId = NewType("ProjectId", str)
GroupId = NewType("GroupId", str)
InstanceId = NewType("InstanceId", str)
PairId = NewType("PairId", str)
DrillId = NewType("DrillId", str)
JobId = NewType("JobId", str)
ServerId = NewType("ServerId", str)
VolumeId = NewType("VolumeId", str)
PortId = NewType("PortId", str)
VpcId = NewType("VpcId", str)
SubnetId = NewType("SubnetId", str)
EipId = NewType("EipId", str)
SiteName = NewType("SiteName", str)

_UUID_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


def new_id() -> str:
    """Return a random id of 36 characters, as resources have."""
    return str(uuid.uuid4())


def new_job_id() -> JobId:
    """Return a random id of 32 hexadecimal characters, as jobs have."""
    return JobId(uuid.uuid4().hex)


def is_id_shaped(text: str) -> bool:
    """Whether `text` looks like an id: a UUID of 36 characters, or 32 hexadecimal ones (MATRIX A4)."""
    return _UUID_SHAPE.fullmatch(text) is not None
