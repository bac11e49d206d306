"""The `sdrs` command: NICs, flavors and larger disks."""

from tests.contract.test_cli import Shell, sdrs

__all__ = ["sdrs"]


async def test_changes_when_asked_for_then_they_are_made(sdrs: Shell) -> None:
    assert (await sdrs("group", "create", "g", "--vpc", "vpc-1")).status == 0
    assert (await sdrs("instance", "create", "i", "--group", "g", "--server", "app-1")).status == 0
    assert (await sdrs("group", "start", "g")).status == 0

    added = await sdrs("instance", "add-nic", "i", "--subnet", "subnet-1", "--ip", "10.20.1.99", "--json")
    assert added.json["status"] == "SUCCESS", added.err
    nics = (await sdrs("port", "list", "--server", "app-1", "--json")).json
    (nic,) = (nic for nic in nics if nic["position"] == 1)
    assert nic["ip"] == "10.20.1.99"
    gone = await sdrs("instance", "delete-nic", "i", nic["id"], "--yes", "--json")
    assert gone.json["status"] == "SUCCESS"
    assert len((await sdrs("server", "show", "app-1", "--json")).json["nics"]) == 1

    refused = await sdrs("instance", "resize", "i", "--flavor", "s3.medium.2")
    assert (refused.status, "SDRS.1352" in refused.err) == (1, True)
    assert (await sdrs("server", "stop", "app-1")).status == 0
    resized = await sdrs("instance", "resize", "i", "--flavor", "s3.medium.2", "--json")
    assert resized.json["status"] == "SUCCESS"
    assert (await sdrs("server", "show", "app-1", "--json")).json["flavor"] == "s3.medium.2"

    pair = (await sdrs("pair", "list", "--json")).json[0]
    extended = await sdrs("pair", "extend", pair["name"], "--size", "2", "--json")
    assert extended.json["status"] == "SUCCESS", extended.err
    assert (await sdrs("pair", "show", pair["name"], "--json")).json["record_metadata"]["volume_size"] == 2
