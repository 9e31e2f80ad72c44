"""The doors of the API: who is let in, how often, and what is written down."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.middleware.cors import CORSMiddleware

from ticktrace import setup_telemetry
from ticktrace.errors import SettingsError
from unit.web.api.served import ADMIN_KEY, READ_KEY, client_of, keyed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ticktrace import Telemetry

API = "/api/metrics"
SCRAPE = "scrape-1d2c3b4a5968"
PATHS = [
    "",
    "/summary",
    "/performance",
    "/system",
    "/all",
    "/metric/trading.candles.processed",
    "/health",
    "/live",
    "/ready",
    "/slo",
    "/resources",
    "/diagnostics/summary",
    "/openapi.json",
    "/nothing-of-that-name",
]


@pytest.fixture
def serve() -> Iterator[Callable[..., Telemetry]]:
    started: list[Telemetry] = []

    def setup(**api: Any) -> Telemetry:
        telemetry = setup_telemetry(
            "guarded", exporters={"metrics": ["prometheus"]}, prometheus={"serve": "never"}, api=api
        )
        started.append(telemetry)
        return telemetry

    yield setup
    for telemetry in started:
        telemetry.shutdown(1.0)


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_others_are_told_nothing(serve: Callable[..., Telemetry], path: str) -> None:
    response = client_of(serve(), "10.0.0.5").get(API + path)
    assert response.status_code == 403
    assert response.json()["detail"].startswith("without a key")


@pytest.mark.parametrize("path", PATHS)
def test_with_keys_whoever_has_none_is_asked_for_one(serve: Callable[..., Telemetry], path: str) -> None:
    response = client_of(serve(**keyed()), "10.0.0.5").get(API + path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [{"authorization": f"Bearer {READ_KEY}"}, {"X-API-Key": READ_KEY}])
def test_either_header_opens_from_anywhere(serve: Callable[..., Telemetry], header: dict[str, str]) -> None:
    client = client_of(serve(**keyed()), "10.0.0.5", headers=header)
    assert client.get(f"{API}/summary").status_code == 200
    assert client.get(f"{API}/nothing-of-that-name").status_code == 404
    assert client.post(f"{API}/clear").status_code == 403


def test_an_admin_may_clear(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve(**keyed()), "10.0.0.5", headers={"X-API-Key": ADMIN_KEY})
    assert client.post(f"{API}/clear").status_code == 200


@pytest.mark.parametrize(
    ("role", "read", "clear"), [("none", 403, 403), ("read", 200, 403), ("admin", 200, 200)]
)
def test_what_the_host_itself_may_do_is_a_setting(
    serve: Callable[..., Telemetry], role: str, read: int, clear: int
) -> None:
    client = client_of(serve(loopback=role))
    assert client.get(f"{API}/summary").status_code == read
    assert client.post(f"{API}/clear").status_code == clear


def test_a_wrong_key_is_worse_than_none_on_the_host_itself(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve())
    assert client.get(f"{API}/summary").status_code == 200
    assert client.get(f"{API}/summary", headers={"X-API-Key": "wrong"}).status_code == 401


def test_two_keys_are_none(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve(**keyed()))
    both = {"X-API-Key": READ_KEY, "authorization": f"Bearer {ADMIN_KEY}"}
    assert client.get(f"{API}/summary", headers=both).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        f"Basic {READ_KEY}",
        READ_KEY,
        f"Bearer{READ_KEY}",
        f"Bearer {READ_KEY} {READ_KEY}",
        f"Bearer {READ_KEY},",
        "Bearer",
        "Bearer " + "x" * 5_000,
    ],
)
def test_other_ways_to_say_it_do_not_open(serve: Callable[..., Telemetry], value: str) -> None:
    client = client_of(serve(**keyed()))
    assert client.get(f"{API}/summary", headers={"authorization": value}).status_code == 401


def test_a_key_in_the_query_opens_nothing_and_is_not_said_again(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve(**keyed()))
    assert client.get(f"{API}/summary?api_key={READ_KEY}&token={READ_KEY}").status_code == 401
    answer = client.get(f"{API}/all?{READ_KEY}={READ_KEY}", headers={"X-API-Key": READ_KEY})
    assert answer.status_code == 422
    assert READ_KEY not in answer.text


def test_who_tries_keys_is_slowed_down_and_others_are_not(serve: Callable[..., Telemetry]) -> None:
    telemetry = serve(**keyed(failures_per_minute=3))
    app = FastAPI()
    stranger, friend = client_of(telemetry, "10.0.0.6", app), client_of(telemetry, "10.0.0.5", app)
    tried = [
        stranger.get(f"{API}/live", headers={"X-API-Key": f"wrong-{number}"}).status_code
        for number in range(5)
    ]
    assert tried == [401, 401, 401, 429, 429]
    assert friend.get(f"{API}/live").status_code == 401
    # Who shares the stranger's address, and has a key, is not shut out with it.
    assert stranger.get(f"{API}/live", headers={"X-API-Key": READ_KEY}).status_code == 200


def test_a_key_may_ask_so_often_from_wherever(serve: Callable[..., Telemetry]) -> None:
    telemetry = serve(**keyed(requests_per_minute=4))
    app = FastAPI()
    clients = [client_of(telemetry, f"10.0.0.{number}", app) for number in range(6)]
    statuses = [client.get(f"{API}/live", headers={"X-API-Key": READ_KEY}).status_code for client in clients]
    assert statuses == [200] * 4 + [429] * 2
    limited = clients[5].get(f"{API}/live", headers={"X-API-Key": READ_KEY})
    assert int(limited.headers["retry-after"]) >= 1
    assert clients[5].get(f"{API}/live", headers={"X-API-Key": ADMIN_KEY}).status_code == 200


def test_an_address_may_ask_so_often_with_whatever_keys(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve(**keyed(requests_per_minute=2)))
    keys = (READ_KEY, ADMIN_KEY, ADMIN_KEY)
    assert [client.get(f"{API}/live", headers={"X-API-Key": key}).status_code for key in keys] == [
        200,
        200,
        429,
    ]


def test_what_is_too_long_is_not_looked_at(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve(loopback="admin"))
    assert client.get(f"{API}/metric/{'x' * 600}").status_code == 414
    assert client.get(f"{API}/all?page={'1' * 1_100}").status_code == 414
    assert client.post(f"{API}/clear", content=b"x" * 2_000).status_code == 413
    assert client.post(f"{API}/clear", content=iter([b"x"])).status_code == 411
    assert client.post(f"{API}/clear", headers={"content-length": "1e9"}).status_code == 413


def test_every_answer_has_the_headers_and_none_opens_to_other_sites(serve: Callable[..., Telemetry]) -> None:
    client = client_of(serve())
    for path in PATHS:
        headers = client.get(API + path, headers={"accept": "*/*"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert not [name for name in headers if name.startswith("access-control")]


def test_a_page_of_another_site_reads_nothing_even_if_the_application_lets_all_sites_in(
    serve: Callable[..., Telemetry],
) -> None:
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    client = client_of(serve(loopback="admin"), app=app)
    assert client.get(f"{API}/summary", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post(f"{API}/clear", headers={"origin": "https://evil.example"}).status_code == 403


def test_probes_may_be_open_and_then_say_no_more_than_that(serve: Callable[..., Telemetry]) -> None:
    telemetry = serve(**keyed(open_probes=True, health={"require_heartbeat": True}))
    client = client_of(telemetry, "10.0.0.5")
    assert client.get(f"{API}/live").status_code == 200
    ready = client.get(f"{API}/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "reasons": []})
    assert client.get(f"{API}/ready", headers={"X-API-Key": READ_KEY}).json()["reasons"]
    assert client.get(f"{API}/health").status_code == 401
    assert client.post(f"{API}/live").status_code == 401


def test_what_changes_something_is_written_down(
    serve: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(serve(**keyed()), "10.0.0.5")
    with caplog.at_level(logging.INFO, "ticktrace.audit"):
        client.get(f"{API}/summary", headers={"X-API-Key": READ_KEY})
        client.post(f"{API}/clear", headers={"X-API-Key": ADMIN_KEY})
        client.post(f"{API}/clear", headers={"X-API-Key": READ_KEY})
        client.post(f"{API}/clear", headers={"X-API-Key": "wrong"})
        client.post(f"{API}/cle%0aar", headers={"X-API-Key": ADMIN_KEY})
    said = [record.getMessage() for record in caplog.records if record.name == "ticktrace.audit"]
    assert said == [
        "ticktrace: POST /api/metrics/clear by ops from 10.0.0.5: 200",
        "ticktrace: POST /api/metrics/clear by grafana from 10.0.0.5: 403",
        "ticktrace: POST /api/metrics/clear by unknown from 10.0.0.5: 401",
        "ticktrace: POST /api/metrics/cle?ar by ops from 10.0.0.5: 404",
    ]


def test_no_key_is_in_spans_metrics_or_logs(
    start: Callable[..., Telemetry], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx")  # the client's own
    telemetry = start(api=keyed(), logs={"capture": True})
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    client = client_of(telemetry, "10.0.0.5", app)
    wrong = "wrong-1a2b3c4d5e6f7a8b"
    for key in (READ_KEY, ADMIN_KEY, wrong):
        for headers in ({"X-API-Key": key}, {"authorization": f"Bearer {key}"}):
            client.get(f"{API}/summary?token={key}", headers=headers)
            client.post(f"{API}/clear", headers=headers)
            client.get("/hello", headers=headers)
    telemetry.flush()
    said = caplog.text + repr([span.to_json() for span in telemetry.memory.spans])
    said += repr(telemetry.memory.logs) + repr(telemetry.totals()) + repr(telemetry.loaded)
    assert "GET /hello" in said
    for key in (READ_KEY, ADMIN_KEY, wrong):
        assert key not in said


def test_a_fault_of_the_api_is_not_the_applications(
    serve: Callable[..., Telemetry], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = serve()
    client = client_of(telemetry)

    def broken() -> Any:
        raise RuntimeError("order 17 has vanished")

    monkeypatch.setattr(telemetry.diagnostics, "snapshot", broken)
    answer = client.get(f"{API}/diagnostics/summary")
    assert answer.status_code == 500
    assert "order 17" not in answer.text
    assert "web.api" in caplog.text


def test_a_websocket_is_turned_away(serve: Callable[..., Telemetry]) -> None:
    from starlette.websockets import WebSocketDisconnect  # noqa: PLC0415  for this test alone

    with pytest.raises(WebSocketDisconnect), client_of(serve()).websocket_connect(f"{API}/stream"):
        pass


def test_a_token_for_scrapes_opens_the_metrics_and_nothing_else() -> None:
    with setup_telemetry(
        "scraped",
        exporters={"metrics": ["prometheus"]},
        prometheus={"serve": "never", "token": SCRAPE},
        api={"loopback": "none"},
    ) as telemetry:
        client = client_of(telemetry, "10.0.0.5")
        with_token = {"authorization": f"Bearer {SCRAPE}"}
        for path in ("/metrics", API):
            assert client.get(path, headers=with_token).status_code == 200
            assert client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get(f"{API}/summary", headers=with_token).status_code == 401
        assert client.post(API, headers=with_token).status_code == 401


def test_a_wrong_file_of_keys_stops_the_start_and_installs_nothing(
    serve: Callable[..., Telemetry], tmp_path: Path
) -> None:
    telemetry = serve(keys_file=str(tmp_path / "none"))
    app = FastAPI()
    before = list(app.router.routes)
    with pytest.raises(SettingsError, match="keys_file"):
        telemetry.instrument_fastapi(app)
    assert app.router.routes == before


HEADERS = st.dictionaries(
    st.sampled_from(
        ["authorization", "x-api-key", "x-forwarded-for", "host", "cookie", "origin", "x-original-url"]
    ),
    st.one_of(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
        st.sampled_from(
            ["Bearer null", "Bearer undefined", "127.0.0.1", "localhost", READ_KEY[:-1], "grafana"]
        ),
    ),
)
TAILS = st.one_of(
    st.sampled_from([*PATHS, "/..", "/%2e%2e/metrics", "//summary", "/summary/", "/summary;x", "/live%00"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#[]\\"), max_size=30).map(
        lambda text: f"/{text}"
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]), TAILS, HEADERS)
def test_no_header_path_or_method_lets_a_stranger_in(
    doors: Any, method: str, tail: str, headers: dict[str, str]
) -> None:
    response = doors.request(method, API + tail, headers=headers, follow_redirects=False)
    path = response.request.url.path
    if path == API or path.startswith(f"{API}/"):
        assert response.status_code in {401, 429}, (method, tail, headers)
    else:  # the client has made another path of it, which is not the API's
        assert response.status_code == 404
    assert "guarded" not in response.text


@pytest.fixture
def doors(serve: Callable[..., Telemetry]) -> Any:
    return client_of(serve(**keyed(failures_per_minute=100_000)))
