"""Signed requests against the signer of the Huawei Cloud SDK, and against the set of headers that the Go SDK signs."""

import hashlib
import hmac
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from opensdrs.iam import signature
from opensdrs.iam.signature import BadSignature

AK, SK = "AK0123456789", "a secret that is not in any log"
NOW = datetime(2026, 9, 1, 12, 0, 0, tzinfo=UTC).timestamp()
DATE = "20260901T120000Z"


def _sdk_request(
    method: str = "POST", path: str = "/v1/p/server-groups", query: list[tuple[str, Any]] | None = None, body: str = ""
) -> dict[str, Any]:
    """Sign with the real SDK; return the request as a server sees it."""
    request = SdkRequest(
        method=method,
        schema="http",
        host="127.0.0.1:8776",
        resource_path=path,
        query_params=query or [],
        header_params={
            "X-Sdk-Date": DATE,
            "X-Project-Id": "p",
            "Content-Type": "application/json;charset=utf-8",
            "User-Agent": "huaweicloud-usdk-python/3.0",
        },
        body=body,
        stream=False,
    )
    signed = Signer(SimpleNamespace(ak=AK, sk=SK)).sign(request)
    raw_path, _, raw_query = signed.uri.partition("?")
    return {
        "method": method,
        "path": raw_path,
        "query": raw_query,
        "headers": {key.lower(): value for key, value in signed.header_params.items()} | {"accept": "*/*"},
        "body": body.encode(),
    }


def _check(request: dict[str, Any], *, secret: str = SK, now: float = NOW) -> None:
    parsed = signature.parse(request["headers"]["authorization"])
    assert parsed.access_key == AK
    signature.check(parsed, secret, now=now, **request)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/v1/p/server-groups", [], '{"server_group": {"name": "灾备"}}'),
        ("GET", "/v1/p/server-groups", [("limit", 10), ("name", "a b+c&d=é~*"), ("status", "")], ""),
        ("GET", "/v1/p/protected-instances", [("server_group_ids", "['x', 'y']"), ("offset", 0)], ""),
        ("GET", "/v1/p/replications", [("id", ["b", "a"]), ("flag", True)], ""),
        ("DELETE", "/v1/p/protected-instances/i/tags/键 1", [], ""),
        ("GET", "/", [], ""),
    ],
)
def test_check_when_the_sdk_signed_then_accepted(
    method: str, path: str, query: list[tuple[str, Any]], body: str
) -> None:
    _check(_sdk_request(method, path, query, body))


def test_check_when_path_is_percent_encoded_on_the_wire_then_accepted() -> None:
    request = _sdk_request("DELETE", "/v1/p/tags/键 1")
    _check(request | {"path": "/v1/p/tags/%E9%94%AE%201"})


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/v1/p/server-groups/other"},
        {"query": "limit=1"},
        {"body": b'{"server_group": {"name": "evil"}}'},
    ],
)
def test_check_when_the_request_was_changed_then_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadSignature, match="does not match"):
        _check(_sdk_request(body="{}") | change)


@pytest.mark.parametrize("header", ["x-project-id", "host", "content-type"])
def test_check_when_a_signed_header_was_changed_then_refused(header: str) -> None:
    request = _sdk_request()
    request["headers"][header] = "other"
    with pytest.raises(BadSignature, match="does not match"):
        _check(request)


def test_check_when_a_signed_header_is_missing_then_refused() -> None:
    request = _sdk_request()
    del request["headers"]["host"]
    with pytest.raises(BadSignature, match="host is missing"):
        _check(request)


def test_check_when_the_secret_differs_then_refused() -> None:
    with pytest.raises(BadSignature, match="does not match"):
        _check(_sdk_request(), secret="another")


@pytest.mark.parametrize(("skew_s", "is_fine"), [(890, True), (-890, True), (910, False), (-910, False)])
def test_check_when_clocks_differ_then_15_minutes_are_accepted(skew_s: int, is_fine: bool) -> None:
    if is_fine:
        _check(_sdk_request(), now=NOW + skew_s)
        return
    with pytest.raises(BadSignature, match="15 minutes"):
        _check(_sdk_request(), now=NOW + skew_s)


def test_check_when_go_signs_without_host_then_accepted() -> None:
    """golangsdk signs accept;content-type;user-agent;x-language;x-sdk-date and adds X-Project-Id after signing."""
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "golangsdk/2.0.0",
        "x-language": "en-us",
        "x-sdk-date": DATE,
    }
    names = ";".join(headers)
    block = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"GET\n/v1/p/server-groups/\nlimit=10&name=a%20b\n{block}\n{names}\n{hashlib.sha256(b'').hexdigest()}"
    to_sign = f"SDK-HMAC-SHA256\n{DATE}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    mac = hmac.new(SK.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={names}, Signature={mac}"
    headers |= {"x-project-id": "p", "host": "anything", "accept-encoding": "gzip"}
    _check(
        {"method": "GET", "path": "/v1/p/server-groups", "query": "name=a+b&limit=10", "headers": headers, "body": b""}
    )


@pytest.mark.parametrize(
    "text",
    [
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=, SignedHeaders=x-sdk-date, Signature=" + "0" * 64,
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=zz",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=host;accept, Signature=" + "0" * 64,
        "V11-HMAC-SHA256 Credential=a/b, SignedHeaders=x-sdk-date, Signature=" + "0" * 64,
    ],
)
def test_parse_when_malformed_or_date_unsigned_then_refused(text: str) -> None:
    with pytest.raises(BadSignature):
        signature.parse(text)


@pytest.mark.parametrize("date", ["", "now", "2026-09-01T12:00:00Z", "99999999T999999Z"])
def test_check_when_the_date_is_not_one_then_refused(date: str) -> None:
    request = _sdk_request()
    request["headers"]["x-sdk-date"] = date
    with pytest.raises(BadSignature, match="X-Sdk-Date"):
        _check(request)
