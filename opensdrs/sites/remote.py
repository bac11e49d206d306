"""A site at the other end of an HTTP connection: every verb becomes one request to the site's agent.

Not a second idea of a site: the parameters, results and faults are those of the `Site` protocol (`wire.py`).
"""

import asyncio
import socket
import ssl
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx
import msgspec

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import GroupId, PairId, ServerId, SiteName, VolumeId
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
from opensdrs.sites.wire import (
    PATH,
    REQUEST_ID_HEADER,
    SITE_HEADER,
    VERBS,
    WATCH_LIMIT_S,
    raise_error,
    request_id,
)

_CONNECT_TIMEOUT_S = 3.0
_POOL = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30.0)
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


T = TypeVar("T")


class RemoteSite:
    """One agent. `close()` it, or use it as an async context manager.

    `timeouts_s` replaces limits of single verbs; `tls` verifies the agent and may carry a client certificate.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        token: str,
        *,
        tls: ssl.SSLContext | None = None,
        timeouts_s: dict[str, float] | None = None,
    ) -> None:
        self._name = SiteName(name)
        self._base_url = base_url.rstrip("/")
        self._timeouts_s = {verb.name: verb.timeout_s for verb in VERBS.values()} | (timeouts_s or {})
        verify = tls if tls is not None else _make_tls(base_url)
        transport = httpx.AsyncHTTPTransport(verify=verify, limits=_POOL, socket_options=_NO_DELAY)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            SITE_HEADER: name,
        }
        # No proxy of the environment may come between a control plane and its sites.
        self._http = httpx.AsyncClient(
            transport=transport,
            headers=headers,
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
            trust_env=False,
        )

    @property
    def name(self) -> SiteName:
        """The zone's name."""
        return self._name

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- verbs -----------------------------------------------------------------------------------------------------

    async def describe(self) -> SiteReport:
        """Report everything the site knows."""
        return await self._call("describe", SiteReport)

    async def watch(self, run_id: str, after_seq: int, wait_s: float) -> EventBatch:
        """Return events after `after_seq`, waiting up to `wait_s` (at most `WATCH_LIMIT_S`) for the first."""
        wait_s = min(wait_s, WATCH_LIMIT_S)
        return await self._call(
            "watch", EventBatch, run_id=run_id, after_seq=after_seq, wait_s=wait_s, extra_s=max(0.0, wait_s)
        )

    async def ensure_volume(self, spec: VolumeSpec) -> VolumeReport:
        """Create the volume, or find it as it is."""
        return await self._call("ensure_volume", VolumeReport, spec=spec)

    async def ensure_snapshot(self, spec: SnapshotSpec) -> VolumeReport:
        """Create a writable point-in-time copy of a volume."""
        return await self._call("ensure_snapshot", VolumeReport, spec=spec)

    async def get_volume(self, volume_id: VolumeId) -> VolumeReport:
        """Report one volume."""
        return await self._call("get_volume", VolumeReport, volume_id=volume_id)

    async def ensure_volume_size(self, volume_id: VolumeId, size_bytes: int) -> VolumeReport:
        """Let the volume grow to at least this size."""
        return await self._call("ensure_volume_size", VolumeReport, volume_id=volume_id, size_bytes=size_bytes)

    async def ensure_volume_absent(self, volume_id: VolumeId) -> None:
        """Delete the volume and its data."""
        await self._call("ensure_volume_absent", type(None), volume_id=volume_id)

    async def ensure_server(self, spec: ServerSpec) -> ServerReport:
        """Record the server."""
        return await self._call("ensure_server", ServerReport, spec=spec)

    async def get_server(self, server_id: ServerId) -> ServerReport:
        """Report one server."""
        return await self._call("get_server", ServerReport, server_id=server_id)

    async def ensure_power(self, server_id: ServerId, power: Power) -> ServerReport:
        """Start or stop the server."""
        return await self._call("ensure_power", ServerReport, server_id=server_id, power=power)

    async def get_console(self, server_id: ServerId, tail_bytes: int) -> str:
        """Return the end of the server's serial console."""
        return await self._call("get_console", str, server_id=server_id, tail_bytes=tail_bytes)

    async def ensure_server_absent(self, server_id: ServerId) -> None:
        """Forget the server; its volumes stay."""
        await self._call("ensure_server_absent", type(None), server_id=server_id)

    async def ensure_group(self, spec: GroupSpec) -> GroupReport:
        """Bring every volume of the group into `spec.mode`."""
        return await self._call("ensure_group", GroupReport, spec=spec)

    async def get_group(self, group_id: GroupId) -> GroupReport:
        """Report one group."""
        return await self._call("get_group", GroupReport, group_id=group_id)

    async def ensure_group_absent(self, group_id: GroupId, epoch: int) -> None:
        """Forget the group; its volumes become IDLE."""
        await self._call("ensure_group_absent", type(None), group_id=group_id, epoch=epoch)

    async def degrade(self, group_id: GroupId, epoch: int, incident: str) -> GroupReport:
        """Let waiting writes of a MIRROR group go on without the peer."""
        return await self._call("degrade", GroupReport, group_id=group_id, epoch=epoch, incident=incident)

    async def suspend(self, group_id: GroupId, epoch: int, pair_ids: tuple[PairId, ...]) -> GroupReport:
        """End the mirrors of these pairs with both copies identical, and let their writes wait."""
        return await self._call("suspend", GroupReport, group_id=group_id, epoch=epoch, pair_ids=pair_ids)

    async def demote(self, group_id: GroupId, epoch: int) -> GroupReport:
        """Planned failover: end every mirror with both copies identical and give up writing."""
        return await self._call("demote", GroupReport, group_id=group_id, epoch=epoch)

    async def hold_writes(self, server_ids: tuple[ServerId, ...], lease_s: float) -> str:
        """Pause the given running servers for at most `lease_s`."""
        return await self._call("hold_writes", str, server_ids=server_ids, lease_s=lease_s)

    async def release_writes(self, hold_id: str) -> bool:
        """Resume the servers of a hold."""
        return await self._call("release_writes", bool, hold_id=hold_id)

    # -- one request -----------------------------------------------------------------------------------------------

    async def _call(self, verb: str, result: type[T], *, extra_s: float = 0.0, **parameters: Any) -> T:
        body = msgspec.json.encode(VERBS[verb].parameters(**parameters))
        response = await self._post(verb, body, self._timeouts_s[verb] + extra_s)
        if response.status_code != httpx.codes.OK:
            raise_error(self._name, verb, response.status_code, response.content)
        try:
            return msgspec.json.decode(response.content, type=result)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            detail = f"the answer is not that of an agent of this version ({error})"
            raise SiteFault(self._name, verb, Cause.FAILED, detail) from None

    async def _post(self, verb: str, body: bytes, timeout_s: float) -> httpx.Response:
        """Send one request. The limit is for the whole of it, so that an answer that drips is cut off too."""
        headers = {REQUEST_ID_HEADER: request_id.get() or uuid4().hex}
        try:
            async with asyncio.timeout(timeout_s):
                return await self._http.post(f"{self._base_url}{PATH}/{verb}", content=body, headers=headers)
        except TimeoutError:
            detail = f"no answer within {timeout_s:g} s"
            raise SiteFault(self._name, verb, Cause.TIMEOUT, detail) from None
        except (httpx.HTTPError, OSError) as error:  # OSError: a TLS alert after the handshake comes through bare
            raise SiteFault(self._name, verb, Cause.UNREACHABLE, _in_words(error)) from None


def _make_tls(base_url: str) -> ssl.SSLContext:
    """Return the system's trust for https. Reading it takes 20 ms, so plain http gets a context that trusts nobody."""
    if base_url.startswith("https://"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
