"""No route answers without a token or a signature, except those that decision 0007 names."""

from pathlib import Path

import httpx

from opensdrs.api.routes import PUBLIC
from opensdrs.main.config import Config, SiteAddress
from opensdrs.main.control import running

PROJECT = "0" * 32


async def test_route_when_called_without_a_token_then_401_unless_public(tmp_path: Path) -> None:
    config = Config(folder=str(tmp_path), site=tuple(SiteAddress(name=name, url="memory:") for name in ("az1", "az2")))
    async with running(config) as plane:
        transport = httpx.ASGITransport(app=plane.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            routes = [
                (method, route.path_format)
                for route in plane.app.routes
                for method in getattr(route, "methods", ())
                if method not in ("HEAD", "OPTIONS")
            ]
            assert len(routes) > 60
            for method, path in routes:
                if (method, path) in PUBLIC:
                    continue
                answer = await client.request(method, path.replace("{project_id}", PROJECT), json={})
                assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
                assert answer.json()["error_code"] == "APIGW.0301"
