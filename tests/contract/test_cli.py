"""The `sdrs` command against the real application: what it prints, what it returns, what it says when refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from opensdrs.api.app import build_app
from opensdrs.api.infra.router import infra_handlers
from opensdrs.api.keystone import CatalogSettings, keystone_handlers
from opensdrs.cli.app import run
from opensdrs.cli.client import JobFailed, SdrsClient
from opensdrs.cli.settings import SettingsError, read_env_file, read_settings
from opensdrs.domain.model import Job
from opensdrs.domain.statuses import JobStatus
from opensdrs.iam.authenticator import Authenticator
from opensdrs.iam.bootstrap import Bootstrap
from opensdrs.iam.identity import Identity
from opensdrs.iam.keys import load_keys
from opensdrs.iam.model import Role
from opensdrs.iam.passwords import Passwords
from opensdrs.iam.tokens import Tokens
from opensdrs.jobs.flow import Failure
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import jobs
from tests.crash.world import PROJECT, World, world

PASSWORD = "Opensesame-1"


class Bridge(httpx.BaseTransport):
    """Carries requests of a thread to an application on an event loop."""

    def __init__(self, app: Litestar, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop).result(timeout=60)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._inner.handle_async_request(copy)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run of the command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


@dataclass(kw_only=True)
class Shell:
    """A person at a terminal."""

    lab: World
    transport: Bridge
    env_file: Path
    captured: Callable[[], Any]

    async def __call__(self, *arguments: str) -> Result:
        status = await asyncio.to_thread(run, ["--env-file", str(self.env_file), *arguments], self.transport)
        out, err = self.captured()
        return Result(status=status, out=out, err=err)


async def _work_off_jobs(lab: World, is_over: asyncio.Event) -> None:
    """What the job engine does."""
    while not is_over.is_set():
        async with lab.database.read() as connection:
            waiting = await rows.select(
                connection, Job, SYSTEM, jobs.c.status == JobStatus.INIT, jobs.c.parent_id.is_(None)
            )
        for job in waiting:
            try:
                await lab.finish(job.id)
            except Exception as error:  # noqa: BLE001 - a bug must end the command that waits for it, not hang the test
                await lab.runner().settle(job.id, Failure(code="SDRS.0013", reason=repr(error)))
        await asyncio.sleep(0.02)


@pytest.fixture
async def sdrs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Shell]:
    async with world(tmp_path) as lab:
        keys = load_keys(tmp_path / "iam.key")
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        bootstrap = Bootstrap(lab.database, keys, passwords)
        project = await bootstrap.ensure_project("lab", "lab-domain", PROJECT)
        await bootstrap.ensure_grant(await bootstrap.ensure_user("me", "lab-domain", PASSWORD), project, Role.ADMIN)
        identity = Identity(lab.database, Tokens(keys), keys, passwords)
        app = build_app(
            lab.services,
            Authenticator(identity),
            extra_routers=[
                *keystone_handlers(identity, CatalogSettings(region="lab")), *infra_handlers(lab.cloud),
            ],
        )  # fmt: skip
        env_file = tmp_path / "env"
        env_file.write_text(
            f"# the lab\nexport SDRS_ENDPOINT=http://sdrs.test\nSDRS_USERNAME=me\nSDRS_PASSWORD='{PASSWORD}'\n"
            "SDRS_DOMAIN_NAME=lab-domain\nSDRS_PROJECT_NAME=lab\n"
        )
        is_over = asyncio.Event()
        worker = asyncio.create_task(_work_off_jobs(lab, is_over))
        yield Shell(
            lab=lab, transport=Bridge(app, asyncio.get_running_loop()), env_file=env_file, captured=capsys.readouterr
        )
        is_over.set()
        await worker


async def test_infrastructure_when_made_by_hand_then_listed_and_deleted(sdrs: Shell) -> None:
    vpc = (await sdrs("vpc", "create", "vpc-2", "--cidr", "10.9.0.0/16", "--json")).json
    await sdrs("subnet", "create", "subnet-2", "--vpc", "vpc-2", "--cidr", "10.9.1.0/24")
    volume = (await sdrs("volume", "create", "boot", "--az", "az1", "--size", "1", "--bootable", "--json")).json
    made = await sdrs(
        "server", "create", "app-2", "--az", "az1", "--flavor", "s3.small.1", "--subnet", "subnet-2",
        "--boot-volume", "boot", "--data", "2", "--json",
    )  # fmt: skip
    assert (made.json["status"], made.json["vpc_id"]) == ("ACTIVE", vpc["id"])
    assert [disk["size_gib"] for disk in made.json["volumes"]] == [1, 2]
    assert "app-2" in (await sdrs("server", "list")).out
    uri = await sdrs("volume", "uri", volume["id"], "--json")
    assert uri.json["used_by"] == made.json["id"]
    assert (await sdrs("server", "stop", "app-2", "--force", "--json")).json["status"] == "SHUTOFF"
    assert (await sdrs("server", "start", "app-2", "--json")).json["status"] == "ACTIVE"
    eip = (await sdrs("eip", "create", "--guest-port", "22", "--json")).json
    linked = await sdrs("eip", "associate", eip["id"], "--server", "app-2", "--json")
    assert linked.json["server_id"] == made.json["id"]
    assert (await sdrs("server", "delete", "app-2", "--delete-volumes")).status == 0
    assert [row["name"] for row in (await sdrs("server", "list", "--json")).json] == ["app-1"]


async def test_protection_when_walked_through_then_every_step_waits_for_its_job(sdrs: Shell) -> None:
    group = (await sdrs("group", "create", "g", "--vpc", "vpc-1", "--json")).json
    assert (group["status"], "server_group_id" in group) == ("SUCCESS", True)
    made = (await sdrs("instance", "create", "i", "--group", "g", "--server", "app-1", "--json")).json
    assert made["status"] == "SUCCESS"
    assert (await sdrs("group", "start", "g", "--json")).json["status"] == "SUCCESS"
    status = (await sdrs("group", "status", "g", "--json")).json
    assert (status["group"]["status"], len(status["instances"]), len(status["pairs"])) == ("protected", 1, 2)
    drill = (await sdrs("drill", "create", "d", "--group", "g", "--json")).json
    assert (await sdrs("drill", "show", drill["disaster_recovery_drill_id"], "--json")).json["status"] == "available"
    assert (await sdrs("drill", "delete", "d", "--yes")).status == 0
    assert (await sdrs("group", "failover", "g", "--yes", "--json")).json["status"] == "SUCCESS"
    shown = (await sdrs("group", "show", "g", "--json")).json
    assert (shown["status"], shown["priority_station"]) == ("failed-over", "target")
    assert "failed-over" in (await sdrs("group", "status", "g")).out


async def test_errors_when_refused_then_status_1_with_code_message_and_advice(sdrs: Shell) -> None:
    wrong = await sdrs("volume", "create", "v", "--az", "az9", "--size", "1")
    assert wrong.status == 1
    assert "OPENSDRS.0400" in wrong.err and "az1, az2" in wrong.err and wrong.out == ""
    as_json = await sdrs("volume", "create", "v", "--az", "az9", "--size", "1", "--json")
    assert json.loads(as_json.err)["error"]["code"] == "OPENSDRS.0400"
    unknown = await sdrs("server", "show", "no-such-server")
    assert (unknown.status, "sdrs server list" in unknown.err) == (1, True)
    missing = await sdrs("group", "show", "00000000-0000-0000-0000-000000000000")
    assert (missing.status, "SDRS.1013" in missing.err) == (1, True)


async def test_errors_when_used_wrongly_then_status_2(sdrs: Shell) -> None:
    assert (await sdrs("volume", "create", "v")).status == 2
    assert (await sdrs("no-such-command")).status == 2


async def test_login_when_the_password_is_wrong_then_told_without_it(sdrs: Shell) -> None:
    sdrs.env_file.write_text(sdrs.env_file.read_text().replace(PASSWORD, "wrong-secret"))
    answer = await sdrs("server", "list")
    assert (answer.status, "APIGW.0301" in answer.err, "wrong-secret" in answer.err) == (1, True, False)


async def test_client_when_the_token_is_no_longer_good_then_it_logs_in_again(sdrs: Shell) -> None:
    client = SdrsClient(read_settings({}, sdrs.env_file), sdrs.transport)
    token = await asyncio.to_thread(client.log_in)
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    request = httpx.Request("DELETE", "http://sdrs.test/v3/auth/tokens", headers=headers)
    assert (await asyncio.to_thread(sdrs.transport.handle_request, request)).status_code == 204
    assert len((await asyncio.to_thread(client.infra, "GET", "/servers"))["servers"]) == 1


async def test_client_when_a_job_fails_then_an_exception_with_its_code(sdrs: Shell) -> None:
    client = SdrsClient(read_settings({}, sdrs.env_file), sdrs.transport)
    made = await asyncio.to_thread(run, ["--env-file", str(sdrs.env_file), "group", "create", "g", "--vpc", "vpc-1"],
                                   sdrs.transport)  # fmt: skip
    assert made == 0
    async with sdrs.lab.database.write() as connection:
        (job,) = await rows.select(connection, Job, SYSTEM)
        await rows.update(connection, Job, job.id, status=JobStatus.FAIL, error_code="SDRS.1014", fail_reason="why")
    with pytest.raises(JobFailed, match=r"SDRS\.1014: why"):
        await asyncio.to_thread(client.wait_job, job.id)
    failed = await sdrs("job", "wait", job.id)
    assert (failed.status, "SDRS.1014" in failed.err) == (1, True)
    await asyncio.to_thread(client.close)


def test_settings_when_something_is_missing_then_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SDRS_ENDPOINT, SDRS_USERNAME, SDRS_PASSWORD, SDRS_PROJECT_ID"):
        read_settings({})
    with pytest.raises(SettingsError, match="No such file"):
        read_env_file(tmp_path / "nothing")


def test_run_when_nobody_answers_then_status_1_and_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "env"
    path.write_text("SDRS_ENDPOINT=http://127.0.0.1:1\nSDRS_USERNAME=u\nSDRS_PASSWORD=p\nSDRS_PROJECT_NAME=x\n")
    assert run(["--env-file", str(path), "server", "list"]) == 1
    assert "http://127.0.0.1:1/" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_when_asked_then_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_SDRS_COMPLETE" in capsys.readouterr().out
