"""The examples of docs/how-to/connect.md, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.clients.lab import ACCOUNT, REGION, Lab

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "connect.md"
_EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("language", "text"), _EXAMPLES, ids=[str(number) for number in range(len(_EXAMPLES))])
def test_example_when_run_then_it_works(service: Lab, language: str, text: str) -> None:
    tenant = service.tenants["otc"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SDRS_ENDPOINT": tenant.url, "SDRS_PROJECT_NAME": tenant.project, "SDRS_PROJECT_ID": tenant.project_id,
        "SDRS_USERNAME": tenant.user, "SDRS_PASSWORD": tenant.password, "SDRS_DOMAIN_NAME": ACCOUNT,
        "SDRS_AK": tenant.access_key, "SDRS_SK": tenant.secret_key, "SDRS_REGION": REGION,
    }  # fmt: skip
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-euo", "pipefail", "-c", text]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert ran.stdout.strip(), ran.stderr


def test_examples_then_every_way_to_connect_is_among_them() -> None:
    assert len(_EXAMPLES) == 6


def test_document_and_page_then_anybody_may_read_them(service: Lab) -> None:
    page = httpx.get(f"{service.url}/openapi", trust_env=False)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    document = httpx.get(f"{service.url}/openapi/openapi.json", trust_env=False).json()
    assert document["openapi"].startswith("3.1")
    allowed = httpx.options(
        f"{service.url}/v1/{service.tenants['go'].project_id}/server-groups", trust_env=False,
        headers={"X-Auth-Token": service.tenants["go"].token()},
    )  # fmt: skip
    assert (allowed.status_code, allowed.headers["Allow"]) == (204, "GET, OPTIONS, POST")
