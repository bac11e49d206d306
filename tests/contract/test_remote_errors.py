"""A remote site when its agent is down, hangs, dies, or is something else; and what the agent refuses."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from opensdrs.agent.serve import serving
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import SiteName, VolumeId
from opensdrs.main.certificates import create_authority, write_site_bundle
from opensdrs.process.serving import CannotListen, Listen
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.model import SiteReport, VolumeSpec
from opensdrs.sites.remote import RemoteSite
from opensdrs.sites.wire import BODY_LIMIT_BYTES, request_id
from tests.contract.remote_harness import find_free_port

TOKEN = "a-token"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def something_else(talk: Talk) -> AsyncIterator[str]:
    """Listen with a server that is no agent; give its URL."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def agent(name: str = "az1") -> AsyncIterator[str]:
    site = MemorySite(name)
    listen = Listen(host="127.0.0.1", port=find_free_port())
    async with serving(site, TOKEN, listen, close=site.close):
        yield f"http://127.0.0.1:{listen.port}"


async def check_fault(remote: RemoteSite, cause: Cause) -> SiteFault:
    with pytest.raises(SiteFault) as caught:
        await remote.describe()
    assert caught.value.cause is cause
    assert (caught.value.site, caught.value.verb) == ("az1", "describe")
    return caught.value


async def test_agent_when_down_then_unreachable() -> None:
    async with RemoteSite("az1", f"http://127.0.0.1:{find_free_port()}", TOKEN) as remote:
        assert (await check_fault(remote, Cause.UNREACHABLE)).is_transient


async def test_agent_when_it_never_answers_then_timeout_in_time() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with (
        something_else(hang) as url,
        RemoteSite("az1", url, TOKEN, timeouts_s={"describe": 0.1}) as remote,
    ):
        started = time.monotonic()
        await check_fault(remote, Cause.TIMEOUT)
        assert time.monotonic() - started < 2


async def test_agent_when_its_answer_drips_then_timeout_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)

    async with (
        something_else(drip) as url,
        RemoteSite("az1", url, TOKEN, timeouts_s={"describe": 0.2}) as remote,
    ):
        await check_fault(remote, Cause.TIMEOUT)


async def test_agent_when_it_dies_under_the_request_then_unreachable() -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with something_else(die) as url, RemoteSite("az1", url, TOKEN) as remote:
        await check_fault(remote, Cause.UNREACHABLE)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Cause.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Cause.FAILED),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"site": 17}', Cause.FAILED),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>", Cause.FAILED),
    ],
)
async def test_agent_when_its_answer_is_garbage_then_says_so(answer: bytes, cause: Cause) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with something_else(babble) as url, RemoteSite("az1", url, TOKEN) as remote:
        assert (await check_fault(remote, cause)).detail


async def test_agent_when_restarted_then_the_next_request_goes_through() -> None:
    site = MemorySite("az1")
    listen = Listen(host="127.0.0.1", port=find_free_port())
    async with RemoteSite("az1", f"http://127.0.0.1:{listen.port}", TOKEN) as remote:
        for _ in range(3):
            async with serving(site, TOKEN, listen):
                assert (await remote.describe()).site == "az1"
            await check_fault(remote, Cause.UNREACHABLE)
    await site.close()


async def test_agent_when_stopped_then_does_not_wait_for_watchers() -> None:
    site = MemorySite("az1")
    listen = Listen(host="127.0.0.1", port=find_free_port())
    async with RemoteSite("az1", f"http://127.0.0.1:{listen.port}", TOKEN) as remote:
        async with serving(site, TOKEN, listen):
            first = await remote.watch("", 0, 0.0)
            watching = asyncio.create_task(remote.watch(first.run_id, first.next_seq - 1, 50.0))
            await asyncio.sleep(0)
            await remote.describe()
            started = time.monotonic()
        assert time.monotonic() - started < 3
        assert (await asyncio.wait_for(watching, timeout=3)).events == ()
    await site.close()


async def test_call_when_the_caller_is_cancelled_then_is_not_a_fault() -> None:
    async with agent() as url, RemoteSite("az1", url, TOKEN) as remote:
        first = await remote.watch("", 0, 0.0)
        watching = asyncio.create_task(remote.watch(first.run_id, first.next_seq - 1, 50.0))
        await remote.describe()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await remote.watch(first.run_id, first.next_seq - 1, 50.0)


# -- what the agent refuses --------------------------------------------------------------------------------------------


async def test_agent_when_the_token_is_wrong_then_refuses() -> None:
    async with agent() as url, RemoteSite("az1", url, "another-token") as remote:
        assert "401" in (await check_fault(remote, Cause.FAILED)).detail


async def test_agent_when_it_is_of_another_site_then_refuses() -> None:
    async with agent("az2") as url, RemoteSite("az1", url, TOKEN) as remote:
        assert "az2" in (await check_fault(remote, Cause.FAILED)).detail


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/site/v1/describe", b"{}", 200),
        ("/site/v1/explode", b"{}", 404),
        ("/site/v1/__init__", b"{}", 404),
        ("/site/v2/describe", b"{}", 404),
        ("/", b"{}", 404),
        ("/site/v1/describe", b"", 400),
        ("/site/v1/describe", b"not json", 400),
        ("/site/v1/describe", b"\xff", 400),
        ("/site/v1/describe", b'{"surplus": 1}', 400),
        ("/site/v1/get_volume", b"{}", 400),
        ("/site/v1/get_volume", b'{"volume_id": 17}', 400),
        ("/site/v1/get_volume", b'{"volume_id": "v"}', 404),
        ("/site/v1/ensure_power", b'{"server_id": "s", "power": "sideways"}', 400),
        ("/site/v1/describe", b" " * (BODY_LIMIT_BYTES + 1), 413),
    ],
)
async def test_agent_when_asked_then_answers_with_this_status(path: str, body: bytes, status: int) -> None:
    async with agent() as url, httpx.AsyncClient(verify=False, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        response = await client.post(url + path, content=body)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.json()


@pytest.mark.parametrize("header", ["", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe4"])
async def test_agent_when_not_authorised_then_401_before_anything_else(header: str) -> None:
    async with agent() as url, httpx.AsyncClient(verify=False) as client:
        headers = {b"Authorization": header.encode("latin-1")}
        for verb in ("describe", "explode"):
            assert (await client.post(f"{url}/site/v1/{verb}", content=b"?", headers=headers)).status_code == 401


async def test_agent_when_the_driver_has_a_bug_then_hides_it_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemorySite):
        async def describe(self) -> SiteReport:
            raise KeyError("secret detail")

    site = Broken("az1")
    listen = Listen(host="127.0.0.1", port=find_free_port())
    async with (
        serving(site, TOKEN, listen, close=site.close),
        RemoteSite("az1", f"http://127.0.0.1:{listen.port}", TOKEN) as remote,
    ):
        assert "secret" not in (await check_fault(remote, Cause.FAILED)).detail
        assert (await remote.ensure_volume(VolumeSpec(volume_id=VolumeId("v"), size_bytes=4096))).size_bytes == 4096
    crash = next(record for record in caplog.records if record.getMessage() == "site.verb.crashed")
    assert crash.exc_info is not None


async def test_request_id_when_the_caller_has_one_then_is_in_the_agents_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="opensdrs.agent")
    async with agent() as url, RemoteSite("az1", url, TOKEN) as remote:
        token = request_id.set("req-4711")
        await remote.describe()
        request_id.reset(token)
        await remote.describe()
    done = [record for record in caplog.records if record.getMessage() == "site.verb.done"]
    assert [vars(record)["verb"] for record in done] == ["describe", "describe"]
    assert vars(done[0])["request_id"] == "req-4711"
    assert vars(done[1])["request_id"] not in ("", "req-4711")
    assert TOKEN not in caplog.text


async def test_port_when_taken_then_the_agent_says_so() -> None:
    async with agent() as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(CannotListen, match="in use"):
            async with serving(MemorySite("az9"), TOKEN, Listen(host="127.0.0.1", port=port)):
                pass


# -- TLS ---------------------------------------------------------------------------------------------------------------


async def test_tls_when_the_authority_fits_then_serves_only_holders_of_its_certificates(tmp_path: Path) -> None:
    authority = create_authority()
    authority_pem = authority.write(tmp_path)
    bundle = tmp_path / "az1.pem"
    write_site_bundle(authority, SiteName("az1"), bundle, ["127.0.0.1"])
    site = MemorySite("az1")
    listen = Listen(host="127.0.0.1", port=find_free_port(), cert=bundle, key=bundle, client_ca=authority_pem)
    url = f"https://127.0.0.1:{listen.port}"
    knows_agent = ssl.create_default_context(cafile=authority_pem)
    proves_itself = ssl.create_default_context(cafile=authority_pem)
    proves_itself.load_cert_chain(bundle)
    async with serving(site, TOKEN, listen, close=site.close):
        async with RemoteSite("az1", url, TOKEN, tls=proves_itself) as remote:
            assert (await remote.describe()).site == "az1"
        for tls in (knows_agent, None):
            async with RemoteSite("az1", url, TOKEN, tls=tls) as remote:
                await check_fault(remote, Cause.UNREACHABLE)
        async with RemoteSite("az1", f"http://127.0.0.1:{listen.port}", TOKEN) as remote:
            await check_fault(remote, Cause.UNREACHABLE)
