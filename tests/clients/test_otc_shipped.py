"""What OTC ships and people run: the functional tests in the SDK's own wheel, and the plug-in of the OpenStack CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.lab import DOMAIN, Lab
from tests.clients.otc import Otc, settings

FUNCTIONAL = "otcextensions.tests.functional.sdk.sdrs"


@pytest.fixture
def environment(service: Lab, tmp_path: Path) -> dict[str, str]:
    """The environment of a user who keeps the cloud in a clouds.yaml."""
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"otc": settings(service.tenants["otc"])}}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return kept | {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "otc", "HOME": str(tmp_path)}


def _run(environment: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_functional_tests_of_the_wheel_when_run_unmodified_then_all_pass(environment: dict[str, str]) -> None:
    ran = _run(environment, "-m", "unittest", "discover", "-s", f"{FUNCTIONAL}.v1", "-v")
    assert ran.returncode == 0, ran.stderr
    assert "Ran 7 tests" in ran.stderr and "skipped" not in ran.stderr


def _openstack(environment: dict[str, str], *arguments: str) -> Any:
    ran = _run(environment, "-m", "openstackclient.shell", *arguments, "-f", "json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_cli_when_domains_are_listed_then_the_sites_are_shown(environment: dict[str, str]) -> None:
    (row,) = [row for row in _openstack(environment, "sdrs", "active", "domain", "list") if DOMAIN in str(row)]
    assert "az1" in str(row) and "az2" in str(row)


def test_cli_when_a_job_is_shown_then_its_status_and_group_are_there(environment: dict[str, str], otc: Otc) -> None:
    group_id = otc.group()
    otc.instance(group_id)
    job_id = otc.sdrs.enable_protection(group_id).json()["job_id"]
    otc.finished(job_id)
    shown = _openstack(environment, "sdrs", "job", "show", job_id)
    assert (shown["id"], shown["status"], shown["job_type"]) == (job_id, "SUCCESS", "startProtectionGroupNoCG")
