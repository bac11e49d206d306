"""The API document has every operation, its parts exist, and what it promises is what the code reads and answers."""

import inspect
import json
import re
from typing import Any

from opensdrs.api import app, openapi
from opensdrs.api.documents import DOCUMENTS, OneAction
from opensdrs.api.infra.router import ROUTES as INFRA_ROUTES
from opensdrs.api.query import Query, read_failure_filter, read_filter, read_rpo_filter
from opensdrs.api.routes import PUBLIC, ROUTES

_PAGE = openapi.Path(openapi.__file__).parent / "explorer.html"


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    paths = openapi.document()["paths"]
    return {(method.upper(), path): row for path, methods in paths.items() for method, row in methods.items()}


def test_document_then_it_has_every_route_of_sdrs_and_of_the_infrastructure() -> None:
    assert set(DOCUMENTS) == {route.operation for route in ROUTES}
    wanted = {(route.method, f"/v1/{{project_id}}{route.path}".replace(":str", "")) for route in ROUTES}
    wanted |= {(row.method, f"/infra/v1/{{project_id}}{row.path}".replace(":str", "")) for row in INFRA_ROUTES}
    public = {key for key, row in _operations().items() if row.get("security") == []}
    identity = {key for key in _operations() if key[1].startswith("/v3")}
    assert set(_operations()) == wanted | public | identity
    assert public == {key for key in PUBLIC if key in _operations()}


def test_document_then_every_reference_leads_somewhere_and_every_operation_has_one_name() -> None:
    document = openapi.document()
    for target in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        found: Any = document
        for part in target.split("/"):
            found = found[part]
    names = [row["operationId"] for row in _operations().values()]
    assert len(names) == len(set(names))


def test_document_then_each_operation_says_what_it_takes_what_it_answers_and_how_it_refuses() -> None:
    for key, row in _operations().items():
        assert row["summary"] and row["tags"], key
        good = [status for status in row["responses"] if status < "300"]
        assert len(good) == 1 and {"400", "500"} <= set(row["responses"]), key
        assert good == ["204"] or "application/json" in row["responses"][good[0]]["content"], key


def test_bodies_then_the_endpoints_read_them_under_the_documented_key() -> None:
    for operation, row in DOCUMENTS.items():
        source = inspect.getsource(app.ENDPOINTS[operation])
        if isinstance(row.body, dict):
            assert all(f'"{key}"' in source for key in row.body), operation
        elif row.body is not None and not isinstance(row.body, OneAction):
            assert row.body.__name__ in source, operation
        elif row.body is None:
            assert "call.read" not in source, operation


def test_query_parameters_then_the_filters_read_exactly_those_that_are_documented() -> None:
    read: set[str] = set()

    class Recording(Query):
        def text(self, name: str) -> str | None:
            read.add(name)
            return super().text(name)

        def ids(self, name: str) -> tuple[str, ...]:
            read.add(name)
            return super().ids(name)

    for reader, operations in (
        (read_filter, ("list_groups", "list_instances", "list_pairs", "list_drills")),
        (read_failure_filter, ("list_failures",)),
        (read_rpo_filter, ("list_rpo_statistics",)),
    ):
        read.clear()
        reader(Recording(""))
        documented = {name.removeprefix("rpo_") for operation in operations for name in DOCUMENTS[operation].query}
        assert documented == read, operations


def test_page_then_it_needs_nothing_from_outside() -> None:
    text = _PAGE.read_text()
    assert not re.search(r"https?://|//cdn|@import|src=", text)
    assert len(text) < 10_000
