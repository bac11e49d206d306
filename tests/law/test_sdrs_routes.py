"""Every route of SDRS has an endpoint and a rule of the policy, and its success status is what clients expect."""

import re
from pathlib import Path

import opensdrs
from opensdrs.api.app import ENDPOINTS
from opensdrs.api.bodies import _MISSING_CODES
from opensdrs.api.routes import ROUTES
from opensdrs.domain.errors import CATALOGUE
from opensdrs.iam.policy import MINIMUM


def test_routes_then_each_has_exactly_one_endpoint() -> None:
    assert {route.operation for route in ROUTES} == set(ENDPOINTS)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_routes_then_each_has_a_policy_rule() -> None:
    assert {route.operation for route in ROUTES} <= set(MINIMUM)


def test_routes_then_success_is_200_or_202_for_batches_or_204_without_a_body() -> None:
    assert {route.success for route in ROUTES} == {200, 202, 204}
    assert {route.operation for route in ROUTES if route.success == 202} == {"create_instances", "delete_instances"}
    assert {route.operation for route in ROUTES if route.success == 204} == {
        "dismiss_failure", "dismiss_group_failures", "dismiss_failures_in_group",
        "add_tag", "change_tags", "delete_tag",
    }  # fmt: skip


def test_field_codes_then_each_is_in_the_catalogue() -> None:
    assert set(_MISSING_CODES.values()) <= set(CATALOGUE)


def test_codes_then_every_one_named_in_services_and_api_is_in_the_catalogue() -> None:
    folder = Path(opensdrs.__file__).parent
    sources = [path.read_text() for name in ("services", "api") for path in (folder / name).rglob("*.py")]
    assert {code for text in sources for code in re.findall(r'"(SDRS\.\d{4}|APIGW\.\d{4})"', text)} <= set(CATALOGUE)
