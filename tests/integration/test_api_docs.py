"""What a browser gets at /docs."""

from collections.abc import AsyncIterator

import pytest

from tests.api_server import Api, running


@pytest.fixture
async def api(shared_database: str) -> AsyncIterator[Api]:
    async with running(shared_database) as api:
        yield api


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/docs", "text/html"),
        ("/docs/swagger-ui-bundle.js", "javascript"),
        ("/docs/docs.js", "javascript"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/docs/favicon-32x32.png", "image/png"),
        ("/openapi.json", "application/json"),
    ],
)
async def test_the_documentation_is_there_without_a_key(api: Api, path: str, kind: str) -> None:
    async with api.http.get(api.url + path) as response:
        assert response.status == 200 and kind in response.headers["Content-Type"]


@pytest.mark.parametrize("name", ["docs.html", "nothing.js", "..%2Fapp.py", "%2Fetc%2Fpasswd", "%00"])
async def test_only_the_files_of_the_page_are_served(api: Api, name: str) -> None:
    async with api.http.get(f"{api.url}/docs/{name}") as response:
        assert response.status == 404
        assert response.headers["Content-Type"].startswith("application/problem+json")


async def test_the_page_may_load_only_from_here(api: Api) -> None:
    async with api.http.get(f"{api.url}/docs") as response:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")


async def test_the_root_leads_to_the_documentation(api: Api) -> None:
    async with api.http.get(api.url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/docs")


async def test_the_access_log_tells_no_ticket(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "service.api.access")
    await api.call("GET", "/tasks?text=secret", headers={"X-Request-ID": "seen"})
    (record,) = [record for record in caplog.records if record.name == "service.api.access"]
    fields = vars(record)["fields"]
    assert "secret" not in str(vars(record))
    assert {name: fields[name] for name in ("method", "path", "status", "request_id", "caller")} == {
        "method": "GET",
        "path": "/api/v1/tasks",
        "status": 200,
        "request_id": "seen",
        "caller": "development",
    }
    assert fields["duration_ms"] > 0 and fields["bytes"] > 0
