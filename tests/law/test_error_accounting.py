"""Every code of the reference is accounted for, and what is claimed to be raised is raised by a test."""

from opensdrs.domain.errors import REFERENCE
from opensdrs.domain.errors.accounting import IMPOSSIBLE, RAISED
from opensdrs.main.asserted_codes import asserted_codes

CODES = {row.code for row in REFERENCE}


def test_codes_then_each_has_exactly_one_account() -> None:
    assert RAISED.keys() | IMPOSSIBLE.keys() == CODES
    assert not RAISED.keys() & IMPOSSIBLE.keys()
    assert all((RAISED | IMPOSSIBLE).values())


def test_codes_when_claimed_as_raised_then_a_test_raises_them() -> None:
    assert RAISED.keys() - asserted_codes().keys() == set()


def test_codes_when_claimed_as_impossible_then_no_test_raises_them() -> None:
    assert IMPOSSIBLE.keys() & asserted_codes().keys() == set()


def test_codes_then_at_least_200_are_raised_by_tests() -> None:
    assert len(CODES & asserted_codes().keys()) >= 200
