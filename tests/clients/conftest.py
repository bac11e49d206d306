"""The service under test, once for all suites of clients, and the clients connected to it."""

import os
from collections.abc import Iterator

import pytest

from tests.clients.go import Go
from tests.clients.huawei import Huawei, signed, with_token
from tests.clients.lab import Lab, lab
from tests.clients.otc import Otc


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)  # the service is on loopback
    with lab(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest.fixture(params=["signed", "token"])
def huawei(request: pytest.FixtureRequest, service: Lab) -> Huawei:
    """The vendor's SDK, once signing with an access key and once with a token; each in a project of its own."""
    tenant = service.tenants[request.param]
    return signed(tenant) if request.param == "signed" else with_token(tenant)


@pytest.fixture
def otc(service: Lab) -> Otc:
    """The OTC extensions of the OpenStack SDK."""
    return Otc(service.tenants["otc"])


@pytest.fixture(params=["signed", "token"])
def go(request: pytest.FixtureRequest, service: Lab) -> Go:
    """The wire behaviour of the Go SDK, once signing with an access key and once with a token."""
    return Go(service.tenants["go"], is_signing=request.param == "signed")
