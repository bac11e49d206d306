"""Killing the control plane or an agent loses nothing and disturbs no guest; losing the link says so first."""

import pytest

from opensdrs.lab.api import Json
from opensdrs.lab.audit import audit
from opensdrs.lab.layout import DOMAIN_ID, SITES
from opensdrs.lab.ledger import Recorder
from opensdrs.lab.seed import LedgerServer, create_ledger_server, ensure_network
from tests.e2e.conftest import Lab
from tests.waiting import eventually


async def protect(lab: Lab, ledger: LedgerServer, vpc_id: str) -> str:
    body = {
        "name": "e2e", "source_availability_zone": SITES[0], "target_availability_zone": SITES[1],
        "domain_id": DOMAIN_ID, "source_vpc_id": vpc_id,
    }  # fmt: skip
    job = await lab.api.finish(await lab.api.sdrs("POST", "/server-groups", {"server_group": body}))
    group_id = str(job["entities"]["server_group_id"])
    instance = {"server_group_id": group_id, "server_id": ledger.server_id, "name": "ledger"}
    await lab.api.finish(await lab.api.sdrs("POST", "/protected-instances", {"protected_instance": instance}))
    await lab.api.finish(await lab.api.operate(group_id, "start-server-group"))
    return group_id


async def group(lab: Lab, group_id: str) -> Json:
    return dict((await lab.api.sdrs("GET", f"/server-groups/{group_id}"))["server_group"])


async def pairs(lab: Lab, group_id: str) -> list[Json]:
    return list((await lab.api.sdrs("GET", f"/replications?server_group_id={group_id}"))["replications"])


async def active(lab: Lab, group_id: str) -> None:
    """Every pair is protected and in sync, perhaps again after an agent was away for longer than the link may be."""
    healthy = {("protected", "active", 100)}
    await eventually(
        lambda: pairs(lab, group_id),
        lambda seen: {(pair["status"], pair["replication_status"], pair["progress"]) for pair in seen} == healthy,
        timeout_s=90,
    )


@pytest.mark.timeout(400)
async def test_kills_when_everything_is_restarted_in_turn_then_guest_goes_on_and_nothing_is_lost(lab: Lab) -> None:
    network = await ensure_network(lab.api)
    ledger = await create_ledger_server(lab.api, network)
    recorder = Recorder(ledger.address, ledger.port)
    recorder.start()
    await recorder.wait_for(5, 120)
    group_id = await protect(lab, ledger, network.vpc_id)
    started_at = (await lab.api.infra("GET", f"/servers/{ledger.server_id}"))["started_at"]

    for name in SITES:
        await lab.processes.kill_agent(name)
        await recorder.wait_for(3, 60)  # without its agent a site goes on
        lab.processes.start_agent(name)
        await lab.processes.wait_agent(name)
        await recorder.wait_for(3, 60)

    await lab.processes.kill_control()
    await recorder.wait_for(3, 60)
    lab.processes.start_control()
    await lab.processes.wait_control()
    server = await lab.api.infra("GET", f"/servers/{ledger.server_id}")
    assert (server["status"], server["started_at"]) == ("ACTIVE", started_at)

    await active(lab, group_id)

    # The control plane dies in the middle of a failover, and ends it when it is back.
    await lab.processes.cut_power(SITES[0])
    acknowledged = frozenset(recorder.acknowledged)
    job = await lab.api.operate(group_id, "failover-server-group")
    await lab.processes.kill_control()
    lab.processes.start_control()
    await lab.processes.wait_control()
    await lab.api.finish(job)
    assert (await group(lab, group_id))["status"] == "failed-over"
    await recorder.wait_for(3, 120)
    listed = await lab.api.sdrs("GET", f"/protected-instances?server_group_id={group_id}")
    target = listed["protected_instances"][0]["target_server"]
    volumes = (await lab.api.infra("GET", f"/servers/{target}"))["volumes"]
    data = next(volume for volume in volumes if volume["device"] == "/dev/vdb")
    access = await lab.api.infra("GET", f"/volumes/{data['volume_id']}/uri")
    found = await audit(access["uri"], acknowledged)
    assert found.lost == 0
    assert found.acknowledged > 20
    await recorder.stop()


@pytest.mark.timeout(400)
async def test_dr_site_when_lost_then_stale_is_recorded_and_failover_refused_until_it_returns(lab: Lab) -> None:
    network = await ensure_network(lab.api)
    ledger = await create_ledger_server(lab.api, network)
    recorder = Recorder(ledger.address, ledger.port)
    recorder.start()
    await recorder.wait_for(3, 120)
    group_id = await protect(lab, ledger, network.vpc_id)

    await lab.processes.cut_power(SITES[1])
    await recorder.wait_for(20, 60)  # production goes on alone, after the witness was told
    faulty = await eventually(
        lambda: pairs(lab, group_id), lambda seen: all(pair["fault_level"] == "5" for pair in seen), timeout_s=30
    )
    assert {pair["status"] for pair in faulty} == {"fault"}
    with pytest.raises(Exception, match=r"SDRS\.1601"):
        await lab.api.operate(group_id, "failover-server-group")

    lab.processes.start_agent(SITES[1])
    await lab.processes.wait_agent(SITES[1])
    await active(lab, group_id)
    await lab.processes.cut_power(SITES[0])
    await lab.api.finish(await lab.api.operate(group_id, "failover-server-group"))
    assert (await group(lab, group_id))["status"] == "failed-over"
    await recorder.stop()


@pytest.mark.timeout(400)
async def test_everything_when_stopped_and_started_then_servers_run_and_pairs_are_active_again(lab: Lab) -> None:
    network = await ensure_network(lab.api)
    ledger = await create_ledger_server(lab.api, network)
    recorder = Recorder(ledger.address, ledger.port)
    recorder.start()
    await recorder.wait_for(5, 120)
    group_id = await protect(lab, ledger, network.vpc_id)

    await lab.processes.stop_all()
    acknowledged = frozenset(recorder.acknowledged)
    assert lab.processes.leftovers() == []
    await lab.processes.start_all()
    await recorder.wait_for(3, 120)
    await active(lab, group_id)
    access = await lab.api.infra("GET", f"/volumes/{ledger.data_volume_id}/uri")
    found = await audit(access["uri"], acknowledged)
    assert (found.lost, found.acknowledged > 5) == (0, True)
    await recorder.stop()
