"""A protected disk grows through the API under a running guest; a failover afterwards loses nothing."""

import pytest

from opensdrs.lab.audit import audit
from opensdrs.lab.layout import SITES
from opensdrs.lab.ledger import Recorder
from opensdrs.lab.seed import create_ledger_server, ensure_network
from tests.e2e.conftest import Lab
from tests.e2e.test_restarts import active, group, pairs, protect
from tests.waiting import eventually

GIB = 1 << 30


@pytest.mark.timeout(400)
async def test_pair_when_extended_then_the_guest_sees_it_and_a_failover_loses_nothing(lab: Lab) -> None:
    network = await ensure_network(lab.api)
    ledger = await create_ledger_server(lab.api, network)
    recorder = Recorder(ledger.address, ledger.port)
    recorder.start()
    await recorder.wait_for(5, 120)
    group_id = await protect(lab, ledger, network.vpc_id)
    data = next(pair for pair in await pairs(lab, group_id) if ledger.data_volume_id in pair["volume_ids"])

    body = {"extend-replication": {"new_size": 2}}
    await lab.api.finish(await lab.api.sdrs("POST", f"/replications/{data['id']}/action", body))
    await recorder.wait_for(5, 60)
    await eventually(
        lambda: lab.api.infra("GET", f"/servers/{ledger.server_id}/console"),
        lambda console: f"DISK vdb {2 * GIB}" in console["output"],
        timeout_s=30,
    )
    await active(lab, group_id)
    grown = next(pair for pair in await pairs(lab, group_id) if pair["id"] == data["id"])
    assert grown["record_metadata"]["volume_size"] == 2

    await recorder.wait_for(20, 60)
    await lab.processes.cut_power(SITES[0])
    acknowledged = frozenset(recorder.acknowledged)
    await lab.api.finish(await lab.api.operate(group_id, "failover-server-group"))
    assert (await group(lab, group_id))["status"] == "failed-over"
    await recorder.wait_for(3, 120)
    access = await lab.api.infra("GET", f"/volumes/{grown['volume_ids'].split(',')[1]}/uri")
    found = await audit(access["uri"], acknowledged)
    assert (found.lost, found.acknowledged > 20) == (0, True)
    await recorder.stop()
