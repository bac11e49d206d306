"""The Site protocol as HTTP: one table of verbs drives the client (`remote.py`) and the server (`opensdrs.agent`).

`POST /site/v1/<verb>` with the verb's parameters as a JSON object; 200 with its result, or a refusal or fault below.
Decoding is strict: a parameter that is unknown, missing or of another type is refused.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn, assert_never

import msgspec

from opensdrs.domain.errors.kind import Cause, SiteFault, Superseded
from opensdrs.domain.ids import GroupId, PairId, ServerId, VolumeId
from opensdrs.sites.model import (
    EventBatch,
    GroupReport,
    GroupSpec,
    Power,
    ServerReport,
    ServerSpec,
    SiteReport,
    SnapshotSpec,
    VolumeReport,
    VolumeSpec,
)

PATH = "/site/v1"
BODY_LIMIT_BYTES = 1 << 20
WATCH_LIMIT_S = 60.0  # the longest wait that an agent grants in one `watch`
REQUEST_ID_HEADER = "X-Request-Id"
SITE_HEADER = "X-Opensdrs-Site"  # whom the client believes to talk to; another site refuses

request_id: ContextVar[str] = ContextVar("site_request_id", default="")
"""The request that is being worked on, from the edge to the agent's log."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One row. `timeout_s` is how long a client waits before it reports TIMEOUT, `watch`'s own wait not counted."""

    name: str
    parameters: type[msgspec.Struct]
    result: Any  # a type, as msgspec takes it
    timeout_s: float


def _verb(name: str, parameters: Mapping[str, Any], result: Any, timeout_s: float) -> Verb:
    struct = msgspec.defstruct(
        f"{name}_parameters", list(parameters.items()), frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    return Verb(name, struct, result, timeout_s)


# Why these limits: a report is read from memory, an image or a snapshot may take a copy of files, `ensure_group` starts
# daemons and mirrors, OFF waits for the guest first (SHUTDOWN_GRACE_S), and a boot under emulation takes its time.
VERBS: dict[str, Verb] = {
    row.name: row
    for row in (
        _verb("describe", {}, SiteReport, 15),
        _verb("watch", {"run_id": str, "after_seq": int, "wait_s": float}, EventBatch, 10),
        _verb("ensure_volume", {"spec": VolumeSpec}, VolumeReport, 120),
        _verb("ensure_snapshot", {"spec": SnapshotSpec}, VolumeReport, 60),
        _verb("get_volume", {"volume_id": VolumeId}, VolumeReport, 10),
        _verb("ensure_volume_size", {"volume_id": VolumeId, "size_bytes": int}, VolumeReport, 60),
        _verb("ensure_volume_absent", {"volume_id": VolumeId}, None, 30),
        _verb("ensure_server", {"spec": ServerSpec}, ServerReport, 30),
        _verb("get_server", {"server_id": ServerId}, ServerReport, 10),
        _verb("ensure_power", {"server_id": ServerId, "power": Power}, ServerReport, 60),
        _verb("get_console", {"server_id": ServerId, "tail_bytes": int}, str, 10),
        _verb("ensure_server_absent", {"server_id": ServerId}, None, 30),
        _verb("ensure_group", {"spec": GroupSpec}, GroupReport, 60),
        _verb("get_group", {"group_id": GroupId}, GroupReport, 10),
        _verb("ensure_group_absent", {"group_id": GroupId, "epoch": int}, None, 60),
        _verb("degrade", {"group_id": GroupId, "epoch": int, "incident": str}, GroupReport, 15),
        _verb("suspend", {"group_id": GroupId, "epoch": int, "pair_ids": tuple[PairId, ...]}, GroupReport, 30),
        _verb("demote", {"group_id": GroupId, "epoch": int}, GroupReport, 60),
        _verb("hold_writes", {"server_ids": tuple[ServerId, ...], "lease_s": float}, str, 15),
        _verb("release_writes", {"hold_id": str}, bool, 15),
    )
}


class WireFault(msgspec.Struct, frozen=True, tag="site-fault", tag_field="error"):
    """A `SiteFault` on its way back."""

    site: str
    verb: str
    cause: Cause
    detail: str


class WireSuperseded(msgspec.Struct, frozen=True, tag="superseded", tag_field="error"):
    """A `Superseded` on its way back."""

    what: str
    epoch: int
    seen_epoch: int


class WireRefusal(msgspec.Struct, frozen=True, tag="refused", tag_field="error"):
    """The agent did not even try: a wrong token, an unknown verb, a body it cannot read."""

    detail: str


WireError = WireFault | WireSuperseded | WireRefusal

_HTTP_OF_CAUSE = {
    Cause.NOT_FOUND: 404,
    Cause.CONFLICT: 409,
    Cause.NO_SPACE: 507,
    Cause.UNREACHABLE: 502,
    Cause.TIMEOUT: 504,
    Cause.FAILED: 500,
}


def encode_error(error: SiteFault | Superseded) -> tuple[int, WireError]:
    """Return the HTTP status, which is for people who look at traffic, and the body, which is what clients read."""
    if isinstance(error, Superseded):
        return 412, WireSuperseded(error.what, error.epoch, error.seen_epoch)
    return _HTTP_OF_CAUSE[error.cause], WireFault(error.site, error.verb, error.cause, error.detail)


def raise_error(site: str, verb: str, status: int, body: bytes) -> NoReturn:
    """Raise what an agent answered other than 200: the very fault it met, or FAILED with what it said."""
    try:
        error = msgspec.json.decode(body, type=WireError)
    except (msgspec.MsgspecError, UnicodeDecodeError) as why:
        detail = f"HTTP {status} that no agent sends ({why})"
        raise SiteFault(site, verb, Cause.FAILED, detail) from None
    match error:
        case WireFault():
            raise SiteFault(error.site, error.verb, error.cause, error.detail)
        case WireSuperseded():
            raise Superseded(error.what, error.epoch, error.seen_epoch)
        case WireRefusal():
            raise SiteFault(site, verb, Cause.FAILED, f"HTTP {status}: {error.detail}")
        case _:
            assert_never(error)
