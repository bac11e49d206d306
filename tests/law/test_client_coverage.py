"""Every method of every client is tested, every operation is called by a client, and the page says so truly."""

import pytest

from tests.clients import coverage


@pytest.mark.parametrize("client", coverage.CLIENTS)
def test_client_then_every_method_of_it_is_called_by_a_test(client: str) -> None:
    pattern, methods = coverage.CLIENTS[client]
    known = set(methods())
    assert known == set(coverage.calls(pattern, known))


def test_huawei_sdk_then_it_has_the_49_methods_that_this_was_written_for() -> None:
    assert len(coverage.huawei_methods()) == 49


def test_operations_then_each_is_called_by_a_client() -> None:
    known = {row for _, methods in coverage.CLIENTS.values() for row in methods().values()}
    assert coverage.operations() <= known


def test_page_then_it_is_what_the_tests_say() -> None:
    assert coverage.PAGE.read_text() == coverage.render(), "run python -m tests.clients.coverage"
