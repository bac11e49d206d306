"""The rules of the Go SDK and of Terraform for NICs, flavors and sizes: one-shot resources that poll a job."""

import pytest

from tests.clients.go import Go


def test_nic_when_added_without_security_groups_then_its_id_is_in_the_job(go: Go) -> None:
    instance_id = go.instance(go.group())
    added = go.call("tfh.add_nic", {"subnet_id": go.tenant.subnet_ids[1]}, instance_id=instance_id)
    nic_id = go.made(added, "nic_id")
    go.job(go.call("tfh.delete_nic", {"nic_id": nic_id}, instance_id=instance_id))


def test_instance_when_resized_then_the_job_succeeds(go: Go) -> None:
    instance_id = go.instance(go.group())
    server_id = go.call("protectedinstances.Get", instance_id=instance_id)["protected_instance"]["source_server"]
    go.tenant.stop(server_id)
    go.job(go.call("tfh.resize", {"resize": {"flavorRef": "s3.medium.2"}}, instance_id=instance_id))
    assert go.tenant.infra("GET", f"/servers/{server_id}")["flavor"] == "s3.medium.2"


@pytest.mark.parametrize("size", [3, 3.7])
def test_pair_when_extended_then_a_fraction_is_cut(go: Go, size: float) -> None:
    pair_id = go.made(go.ask_for_pair(go.group(), go.tenant.volume()), "replication_pair_id")
    go.job(go.call("tfh.extend", {"extend-replication": {"new_size": size}}, pair_id=pair_id))
    pair = go.call("replications.Get", pair_id=pair_id)["replication"]
    assert pair["record_metadata"]["volume_size"] == 3
