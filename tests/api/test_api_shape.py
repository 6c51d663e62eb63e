"""Promises that hold for every route: one error shape, a whole description, no outside calls."""

import re

import httpx
import pytest
from fastapi import APIRouter

from backend.api.app import make_app
from backend.api.auth import Gatekeeper
from backend.settings import Settings

ERROR = "#/components/schemas/ErrorReply"


@pytest.fixture
def spec(api):
    return api.get("/api/openapi.json").json()


def operations(spec):
    return [
        (path, method, operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    ]


def assert_error_shape(response):
    body = response.json()
    assert body.keys() == {"error"}, body
    assert body["error"].keys() == {"code", "message", "hint"}
    assert re.fullmatch(r"[a-z_]+", body["error"]["code"])
    assert body["error"]["message"]


def test_every_route_is_there(spec):
    assert {f"{method.upper()} {path}" for path, method, _ in operations(spec)} == {
        "GET /api/health",
        "GET /api/robots",
        "GET /api/robots/{name}/check",
        "POST /api/robots/{name}/check",
        "GET /api/robots/{name}/pictures/{camera}.jpg",
        "GET /api/robots/{name}/config",
        "PUT /api/robots/{name}/config",
        "GET /api/robots/{name}/preview",
        "POST /api/robots/{name}/preview",
        "DELETE /api/robots/{name}/preview",
        "GET /api/robots/{name}/preview/{camera}.jpg",
        "GET /api/sandbox",
        "POST /api/sandbox",
        "GET /api/user",
        "GET /api/session",
        "POST /api/session/command",
        "GET /api/statistics",
        "POST /api/uploads/{episode_id}/retry",
        "POST /api/uploads/{episode_id}/discard",
        "GET /api/episodes",
        "GET /api/episodes/facets",
        "GET /api/episodes/unfinished",
        "GET /api/episodes/{episode_id}",
        "GET /api/episodes/{episode_id}/steps",
        "GET /api/episodes/{episode_id}/review",
        "GET /api/episodes/{episode_id}/strip.jpg",
        "GET /api/episodes/{episode_id}/video/{camera}.mp4",
        "POST /api/episodes/{episode_id}/recover",
        "POST /api/episodes/{episode_id}/discard",
        "GET /api/episodes/{episode_id}/scores",
        "GET /api/episodes/{episode_id}/critic.mp4",
        "GET /api/episodes/{episode_id}/labels",
        "POST /api/episodes/{episode_id}/labels",
        "POST /api/episodes/{episode_id}/labels/revert",
        "GET /api/labels/events",
        "POST /api/labels/bulk",
        "POST /api/labels/undo",
        "POST /api/labels/redo",
        "GET /api/jobs",
        "POST /api/jobs",
        "POST /api/jobs/dry-run",
        "GET /api/jobs/{job_id}",
        "GET /api/jobs/{job_id}/metrics",
        "GET /api/jobs/{job_id}/log",
        "POST /api/jobs/{job_id}/cancel",
        "POST /api/jobs/{job_id}/resume",
        "GET /api/jobs/{job_id}/advantages",
        "GET /api/datasets",
        "GET /api/datasets/trash",
        "POST /api/datasets/trash/{trash_id}/restore",
        "POST /api/datasets/import-preview",
        "POST /api/datasets/push-preview",
        "GET /api/datasets/{owner}/{name}",
        "POST /api/datasets/{owner}/{name}/trash",
        "GET /api/training/presets",
        "GET /api/training/sources",
        "POST /api/training/preview",
        "GET /api/checkpoints",
        "GET /api/checkpoints/{run}/{step}",
        "POST /api/checkpoints/{run}/{step}/promote",
        "POST /api/checkpoints/{run}/{step}/delete",
        "POST /api/checkpoints/{run}/{step}/export",
        "GET /api/scores/compare",
        "GET /api/videos",
        "GET /api/videos/rule",
        "POST /api/videos/rule",
    }


def test_every_route_is_described_with_its_answers_and_errors(spec):
    for path, method, operation in operations(spec):
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert operation.get("description"), where
        assert operation["tags"][0] in {tag["name"] for tag in spec["tags"]}, where
        for status, answer in operation["responses"].items():
            content = answer["content"]
            if int(status) >= 400:
                assert content["application/json"]["schema"]["$ref"] == ERROR, (where, status)
            else:
                assert content, (where, status)
                shape = content.get("application/json", {"schema": {"$ref": ""}})
                assert "$ref" in shape["schema"], (where, status)
        assert {"401", "403", "422", "500"} <= operation["responses"].keys(), where
        if "{" in path:
            assert "404" in operation["responses"], where
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "path":
                assert parameter.get("description"), (where, parameter["name"])


def test_every_shape_says_what_it_is(spec):
    for name, schema in spec["components"]["schemas"].items():
        assert schema.get("description") or "enum" in schema, name


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("POST", "/api/health", 405, "method_not_allowed"),
        ("DELETE", "/api/episodes/e1", 405, "method_not_allowed"),
        ("PUT", "/api/session/command", 405, "method_not_allowed"),
        ("GET", "/api/episodes?limit=x", 422, "invalid"),
        ("POST", "/api/session/command", 422, "invalid"),
        ("GET", "/api/episodes/none", 404, "not_found"),
        ("POST", "/api/labels/undo", 409, "nothing"),
        ("GET", "/api/episodes?cursor=x", 400, "page"),
    ],
)
def test_every_error_has_the_one_shape(api, method, path, status, code):
    response = api.request(method, path)

    assert response.status_code == status
    assert_error_shape(response)
    assert response.json()["error"]["code"] == code
    if status == 405:
        assert response.headers["allow"]


def test_a_body_that_is_no_json_has_the_one_shape(api):
    response = api.post(
        "/api/session/command", content=b"{", headers={"content-type": "application/json"}
    )

    assert response.status_code == 422
    assert_error_shape(response)


async def test_an_unexpected_error_has_the_one_shape_and_tells_no_secrets(caplog):
    router = APIRouter()

    @router.get("/api/broken")
    def broken() -> None:
        raise RuntimeError("the password is swordfish")

    app = make_app([router], gatekeeper=Gatekeeper(Settings()), version="0", lifespan=None)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/api/broken")

    assert response.status_code == 500
    assert_error_shape(response)
    assert "swordfish" not in response.text
    assert "swordfish" in caplog.text


def test_the_description_page_loads_nothing_from_elsewhere(api, spec):
    page = api.get("/docs").text

    assert not re.findall(r"(?:src|href)=['\"]?(?:https?:)?//", page)
    for path in spec["paths"]:
        assert path in page


def test_health_says_version_uptime_actor_and_disk(api, server):
    health = api.get("/api/health").json()

    assert health["version"] == server.backend.app.version
    assert health["uptime_s"] >= 0
    assert health["actor"]["state"] == "stopped"
    assert 0 < health["disk_free_bytes"] <= health["disk_total_bytes"]
    assert health["data_dir"] == str(server.backend.settings.data_dir)


def test_robots_are_listed_with_what_can_drive_them(api):
    robots = {robot["name"]: robot for robot in api.get("/api/robots").json()["items"]}

    touch = robots["so101_sim_touch"]
    assert touch["problem"] == ""
    assert touch["policies"] == ["hold", "scripted"]
    assert touch["fps"] == 10
    assert "overhead" in touch["cameras"]
    assert robots["synthetic"]["policies"] == ["hold"]
