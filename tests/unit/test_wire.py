"""The table of verbs against the Site protocol, and faults on their way through JSON."""

import inspect
import typing

import msgspec
import pytest

from opensdrs.domain.errors import Cause, SiteFault, Superseded
from opensdrs.sites.base import Site
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.remote import RemoteSite
from opensdrs.sites.wire import VERBS, encode_error, raise_error


def methods_of(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in vars(kind).items()
        if inspect.iscoroutinefunction(member) and not name.startswith("_")
    }


def test_table_when_compared_with_the_protocol_then_has_the_same_verbs_parameters_and_results() -> None:
    methods = methods_of(Site)
    assert VERBS.keys() == methods.keys()
    for name in methods:
        hints = typing.get_type_hints(getattr(Site, name))
        result = hints.pop("return")
        fields = {field.name: field.type for field in msgspec.structs.fields(VERBS[name].parameters)}
        assert fields == hints, name
        assert (VERBS[name].result or type(None)) is result, name


@pytest.mark.parametrize("driver", [MemorySite, RemoteSite])
def test_driver_when_compared_with_the_protocol_then_has_the_same_signatures(driver: type) -> None:
    for name, signature in methods_of(Site).items():
        assert inspect.signature(getattr(driver, name)) == signature, name


@pytest.mark.parametrize("cause", list(Cause))
def test_fault_when_it_went_over_the_wire_then_is_the_same(cause: Cause) -> None:
    status, body = encode_error(SiteFault("az1", "demote", cause, "group g: why"))
    assert status >= 400
    with pytest.raises(SiteFault) as caught:
        raise_error("other", "other", status, msgspec.json.encode(body))
    fault = caught.value
    assert (fault.site, fault.verb, fault.cause, fault.detail) == ("az1", "demote", cause, "group g: why")


def test_superseded_when_it_went_over_the_wire_then_is_the_same() -> None:
    status, body = encode_error(Superseded("group g at az1", 4, 5))
    with pytest.raises(Superseded) as caught:
        raise_error("az1", "degrade", status, msgspec.json.encode(body))
    assert (caught.value.what, caught.value.epoch, caught.value.seen_epoch) == ("group g at az1", 4, 5)


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"\xff\xfe", b'{"error": "unheard-of"}', b"[]"])
def test_answer_when_no_agent_sends_it_then_failed(body: bytes) -> None:
    with pytest.raises(SiteFault) as caught:
        raise_error("az1", "describe", 502, body)
    assert caught.value.cause is Cause.FAILED
    assert "502" in caught.value.detail
