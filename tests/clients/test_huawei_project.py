"""The vendor's SDK: versions, domains, quotas, jobs, the task centre, credentials. Source: 5.1 - 5.3, 5.9, 5.10."""

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdksdrs import v1 as sdrs
from huaweicloudsdksdrs.v1 import SdrsClient

from tests.clients.huawei import Huawei, matches, refusal
from tests.clients.lab import AZ1, AZ2, DOMAIN, Lab


def _failures(huawei: Huawei, **filters: object) -> list[sdrs.FailureJobParams]:
    answer = matches(huawei.client.list_failure_jobs(sdrs.ListFailureJobsRequest(**filters)))
    assert answer.count == len(answer.failure_jobs)
    return list(answer.failure_jobs)


def test_versions_when_asked_for_then_v1_is_there(huawei: Huawei) -> None:
    versions = matches(huawei.client.list_api_versions(sdrs.ListApiVersionsRequest())).versions
    assert [version.id for version in versions] == ["v1"]
    shown = matches(huawei.client.show_specified_api_version(sdrs.ShowSpecifiedApiVersionRequest("v1"))).version
    assert (shown.id, shown.status, shown.updated) == ("v1", "CURRENT", "2018-05-30T15:00:00Z")
    unknown = sdrs.ShowSpecifiedApiVersionRequest("v9")
    assert refusal(lambda: huawei.client.show_specified_api_version(unknown)).status_code == 404


def test_domains_when_listed_then_each_names_its_two_sites(huawei: Huawei) -> None:
    domains = matches(huawei.client.list_active_active_domains(sdrs.ListActiveActiveDomainsRequest())).domains
    found = {row.id: row for row in domains}[DOMAIN]
    assert (found.name, found.description, found.sold_out) == ("az1-az2", "two zones", False)
    assert found.local_replication_cluster.availability_zone == AZ1
    assert found.remote_replication_cluster.availability_zone == AZ2


def test_quotas_when_shown_then_what_is_used_is_counted(huawei: Huawei) -> None:
    def used() -> dict[str, int]:
        resources = matches(huawei.client.show_quota(sdrs.ShowQuotaRequest())).quotas.resources
        assert {row.type for row in resources} == {"server_groups", "replications"}
        return {row.type: row.used for row in resources}

    before = used()
    huawei.pair(huawei.group())
    assert used() == {kind: number + 1 for kind, number in before.items()}


def test_rpo_statistics_when_listed_then_an_object_with_a_count_comes(huawei: Huawei) -> None:
    request = sdrs.ListRpoStatisticsRequest(
        limit=10,
        offset=0,
        start_time="2020-01-01 00:00:00",
        end_time="2099-01-01 00:00:00",
        resource_type="replication",
    )
    answer = matches(huawei.client.list_rpo_statistics(request))
    assert (type(answer.count), type(answer.resource_rpo_statistics)) == (int, list)


def test_job_when_shown_then_times_and_entities_are_there_and_an_unknown_one_is_not_found(huawei: Huawei) -> None:
    group_id = huawei.group()
    answer = huawei.client.delete_protection_group(sdrs.DeleteProtectionGroupRequest(group_id))
    job = matches(huawei.done(answer))
    shown = huawei.client.show_job_status(sdrs.ShowJobStatusRequest(answer.job_id))
    assert (shown.job_id, shown.status, shown.end_time) == (answer.job_id, "SUCCESS", job.end_time)
    assert len(answer.job_id) == 32 and shown.begin_time.endswith("Z") and shown.begin_time <= shown.end_time
    error = refusal(lambda: huawei.client.show_job_status(sdrs.ShowJobStatusRequest("0" * 32)))
    assert (error.status_code, error.error_code) == (404, "SDRS.0408")


def test_failures_in_a_group_when_dismissed_then_the_list_is_empty(huawei: Huawei) -> None:
    group_id = huawei.group()
    jobs = [huawei.pair(group_id, huawei.tenant.too_large_volume(), f"large-{n}") for n in (1, 2)]
    assert [(job.status, job.error_code) for job in jobs] == [("FAIL", "SDRS.1812")] * 2
    assert "no-space" in jobs[0].fail_reason
    found = _failures(huawei, server_group_id=group_id, failure_status="createFail", resource_type="replications")
    assert [row.job_id for row in found] == [job.job_id for job in reversed(jobs)]
    assert (found[0].job_status, found[0].failure_status, found[0].error_code) == ("FAIL", "createFail", "SDRS.1812")
    assert _failures(huawei, server_group_id=group_id, resource_name="large-1")[0].job_id == jobs[0].job_id
    one = sdrs.DeleteFailureJobRequest(failure_job_id=jobs[0].job_id)
    assert huawei.client.delete_failure_job(one).status_code == 204
    assert [row.job_id for row in _failures(huawei, server_group_id=group_id)] == [jobs[1].job_id]
    assert refusal(lambda: huawei.client.delete_failure_job(one)).status_code == 404
    all_in_group = sdrs.DeleteServerGroupFailureJobsRequest(server_group_id=group_id)
    assert huawei.client.delete_server_group_failure_jobs(all_in_group).status_code == 204
    assert _failures(huawei, server_group_id=group_id) == []


def test_failures_of_groups_when_all_are_dismissed_then_the_list_is_empty(huawei: Huawei) -> None:
    job = huawei.finished(huawei.tenant.failing_job_id)
    assert (job.status, job.error_code) == ("FAIL", "SDRS.1014")
    assert huawei.show_group(job.entities.server_group_id).status == "error"
    found = _failures(huawei, resource_type="server_groups")
    assert [(row.resource_name, row.resource_id) for row in found] == [("unreachable", job.entities.server_group_id)]
    request = sdrs.DeleteAllServerGroupFailureJobsRequest()
    assert huawei.client.delete_all_server_group_failure_jobs(request).status_code == 204
    assert _failures(huawei) == []


def test_call_when_the_secret_is_wrong_then_it_is_401_in_the_gateways_form(service: Lab) -> None:
    tenant = service.tenants["signed"]
    credentials = BasicCredentials(tenant.access_key, "wrong", tenant.project_id)
    client = SdrsClient.new_builder().with_credentials(credentials).with_endpoint(tenant.url).build()
    error = refusal(lambda: client.list_active_active_domains(sdrs.ListActiveActiveDomainsRequest()))
    assert (error.status_code, error.error_code) == (401, "APIGW.0301")


def test_project_when_looked_up_by_a_name_that_is_not_there_then_the_sdk_says_so(service: Lab) -> None:
    tenant = service.tenants["signed"]
    credentials = BasicCredentials(tenant.access_key, tenant.secret_key).with_iam_endpoint(tenant.url)
    builder = SdrsClient.new_builder().with_credentials(credentials)
    try:
        builder.with_region(Region("nowhere", tenant.url)).build()
    except ClientRequestException as error:
        raise AssertionError("the look-up itself must work") from error
    except Exception as error:  # noqa: BLE001 - the SDK's own exception for an empty answer
        assert "project" in str(error).lower()
    else:
        raise AssertionError("a project was found")
