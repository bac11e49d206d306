"""The OTC extensions: protection groups, jobs, domains, quotas and the task centre."""

import pytest
from openstack import exceptions

from tests.clients.lab import AZ1, AZ2, DOMAIN
from tests.clients.otc import Otc

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_group_when_created_then_the_sdk_finds_it_by_name_and_id(otc: Otc) -> None:
    made = otc.sdrs.create_protection_group(
        name="otc-group", source_availability_zone=AZ1, target_availability_zone=AZ2, domain_id=DOMAIN,
        source_vpc_id=otc.tenant.vpc_id, dr_type="migration", description="of OTC",
    )  # fmt: skip
    job = otc.done(made)
    assert job.job_type == "createProtectionGroupNoCG"
    group = otc.sdrs.get_protection_group(job.entities.server_group_id)
    assert (group.name, group.description, group.status) == ("otc-group", "of OTC", "available")
    assert (group.protected_instance_num, group.replication_num, group.progress) == (0, 0, 0)
    assert otc.sdrs.find_protection_group("otc-group").id == group.id
    assert otc.sdrs.find_protection_group(group.id).id == group.id
    assert otc.sdrs.find_protection_group("no-such-group") is None
    assert otc.sdrs.update_protection_group(group.id, name="otc-renamed").name == "otc-renamed"


def test_groups_when_listed_page_by_page_then_each_comes_once(otc: Otc) -> None:
    made = {otc.group() for _ in range(3)}
    listed = [group.id for group in otc.sdrs.protection_groups(limit=2)]
    assert made <= set(listed)
    assert len(listed) == len(set(listed)) == len(list(otc.sdrs.protection_groups()))
    assert [group.id for group in otc.sdrs.protection_groups(status="no-such-status")] == []


def test_group_when_deleted_then_the_sdk_cannot_get_it(otc: Otc) -> None:
    group_id = otc.group()
    otc.sdrs.delete_protection_group(group_id)
    with pytest.raises(exceptions.HttpException, match=r"deleting|not found|does not exist"):
        for _ in range(500):  # the SDK drops the id of the deletion's job
            otc.sdrs.update_protection_group(otc.sdrs.get_protection_group(group_id).id, name="late")
    with pytest.raises(exceptions.BadRequestException) as caught:
        otc.sdrs.delete_protection_group(UNKNOWN)
    assert caught.value.response.json()["error_code"] == "SDRS.1013"


def test_group_when_protected_and_stopped_then_the_jobs_have_parts(otc: Otc) -> None:
    group_id = otc.group()
    otc.instance(group_id)
    job = otc.done(otc.sdrs.enable_protection(group_id))
    assert job.entities.server_group_id == group_id
    assert {part.status for part in job.entities.sub_jobs} == {"SUCCESS"}
    assert otc.sdrs.get_protection_group(group_id).status == "protected"
    assert otc.done(otc.sdrs.disable_protection(group_id)).job_type == "stopProtectionGroupNoCG"
    assert otc.sdrs.get_protection_group(group_id).status == "available"
    assert otc.sdrs.disable_protection(group_id).status_code == 400  # the SDK raises nothing here


def test_group_when_failed_over_then_the_other_site_is_production(otc: Otc) -> None:
    group_id, server_id = otc.group(), otc.tenant.server()
    otc.instance(group_id, server_id)
    otc.done(otc.sdrs.enable_protection(group_id))
    otc.tenant.stop(server_id)
    otc.done(otc.sdrs.perform_planned_failover(group_id))
    assert otc.sdrs.get_protection_group(group_id).priority_station == "target"
    otc.done(otc.sdrs.perform_failover(group_id))
    group = otc.sdrs.get_protection_group(group_id)
    assert (group.status, group.priority_station) == ("failed-over", "source")


def test_domains_and_quotas_when_listed_then_each_is_one_object(otc: Otc) -> None:
    domains = list(otc.sdrs.get_domains())
    found = {domain.id: domain for domain in domains[0].domains}[DOMAIN]
    assert found.local_replication_cluster.availability_zone == AZ1
    quotas = list(otc.sdrs.quotas())
    assert {row.type for row in quotas[0].resources} == {"server_groups", "replications"}


def _failed_pair(otc: Otc, group_id: str) -> str:
    made = otc.sdrs.create_replication_pair(
        name="large", server_group_id=group_id, volume_id=otc.tenant.too_large_volume()
    )
    job = otc.finished(made.job_id)
    assert (job.status, job.error_code) == ("FAIL", "SDRS.1812")
    return str(made.job_id)


def test_failures_when_dismissed_one_by_one_and_by_group_then_none_is_left(otc: Otc) -> None:
    group_id = otc.group()
    first, second = _failed_pair(otc, group_id), _failed_pair(otc, group_id)
    found = list(otc.sdrs.failed_tasks(server_group_id=group_id, limit=50))
    assert [task.job_id for task in found] == [second, first]
    assert (found[0].failure_status, found[0].resource_type) == ("createFail", "replications")
    otc.sdrs.delete_failed_task(first)
    otc.sdrs.delete_failed_task(first)  # it is gone: 404, which the SDK ignores
    assert [task.job_id for task in otc.sdrs.failed_tasks(server_group_id=group_id)] == [second]
    assert otc.sdrs.delete_protection_group_tasks(group_id).status_code == 204
    assert list(otc.sdrs.failed_tasks(server_group_id=group_id)) == []


def test_failures_of_groups_when_all_are_dismissed_then_none_is_left(otc: Otc) -> None:
    assert otc.finished(otc.tenant.failing_job_id).status == "FAIL"
    assert [task.resource_name for task in otc.sdrs.failed_tasks()] == ["unreachable"]
    assert otc.sdrs.delete_all_failed_tasks().status_code == 204
    assert list(otc.sdrs.failed_tasks()) == []


def test_job_when_unknown_then_the_sdk_says_not_found(otc: Otc) -> None:
    with pytest.raises(exceptions.NotFoundException, match="job"):
        otc.sdrs.get_job("0" * 32)
