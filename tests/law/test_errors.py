"""The error catalogue is the reference's appendix, complete."""

import re
from collections import Counter

from opensdrs.domain.errors import CATALOGUE, REFERENCE, kind, refused


def test_catalogue_has_every_code_of_the_reference() -> None:
    assert len(REFERENCE) == 256
    assert Counter(row.http for row in REFERENCE) == {400: 222, 500: 33, 404: 1}


def test_codes_are_unique_and_well_formed() -> None:
    codes = [row.code for row in CATALOGUE.values()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"(SDRS|APIGW|OPENSDRS)\.\d{4}", code) for code in codes)


def test_every_row_says_what_to_do() -> None:
    assert all(row.message and row.description and row.remedy for row in CATALOGUE.values())


def test_refusal_text_has_message_detail_and_remedy() -> None:
    text = refused("SDRS.1013", "group 42").text
    assert text == f"{kind('SDRS.1013').message}. group 42. {kind('SDRS.1013').remedy}"
