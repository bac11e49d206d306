"""Requests made up from the API document, right and wrong ones and chains of them: no answer may break its promise."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from opensdrs.api import answers
from tests.clients.lab import AZ1, AZ2, DOMAIN, Lab, Tenant

_SECONDS = 60
# A request that fits the document may still be refused for what exists: a name that is taken, an id that is not there.
_SETTINGS = """
seed = 20
color = false
continue-on-failure = true
headers = {{ X-Auth-Token = "{token}" }}
[parameters]
"path.project_id" = "{project_id}"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409"]
"""


def _narrow(document: dict[str, Any], tenant: Tenant) -> None:
    """Let ids in bodies be those of things that exist, so that operations get beyond their first check."""
    servers = [tenant.server(disks=1) for _ in range(3)]
    volumes = [tenant.volume() for _ in range(3)]
    groups = [_group(tenant, f"fuzz-{number}") for number in range(2)]
    known = {
        "source_availability_zone": [AZ1], "target_availability_zone": [AZ2], "domain_id": [DOMAIN],
        "source_vpc_id": [tenant.vpc_id], "vpc_id": [tenant.vpc_id], "subnet_id": tenant.subnet_ids,
        "availability_zone": [AZ1, AZ2], "flavor_id": ["s3.small.1"], "server_id": servers, "volume_id": volumes,
        "server_group_id": groups,
    }  # fmt: skip
    bodies = [row for title, row in document["components"]["schemas"].items() if not hasattr(answers, title)]
    for schema in (row for row in bodies if not row["title"].endswith("Answer")):
        for name, values in known.items():
            if schema.get("properties", {}).get(name, {}).get("type") == "string":
                schema["properties"][name] = {"type": "string", "enum": values}


def _group(tenant: Tenant, name: str) -> str:
    wanted = {
        "name": name, "source_availability_zone": AZ1, "target_availability_zone": AZ2, "domain_id": DOMAIN,
        "source_vpc_id": tenant.vpc_id,
    }  # fmt: skip
    job = tenant.ask("POST", "/server-groups", {"server_group": wanted}).json()
    return str(tenant.ask("GET", f"/jobs/{job['job_id']}").json()["entities"]["server_group_id"])


@pytest.mark.timeout(4 * _SECONDS)
def test_service_when_every_operation_is_fuzzed_then_all_checks_hold(service: Lab, tmp_path: Path) -> None:
    tenant = service.tenants["fuzz"]
    document = httpx.get(f"{service.url}/openapi/openapi.json", trust_env=False).json()
    _narrow(document, tenant)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(_SETTINGS.format(token=tenant.token(), project_id=tenant.project_id))
    ran = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings),
            "run", str(tmp_path / "openapi.json"), "--url", service.url, "--checks", "all",
            "--max-time", str(_SECONDS), "--max-examples", "20", "--warnings", "off",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=3 * _SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]
    log = (service.folder / "log").read_text()
    assert "api.unexpected" not in log and "Traceback" not in log
