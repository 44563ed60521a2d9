import asyncio
import importlib
import sys

import pytest
from tests.web.middleware.exchange import ask, make_scope, page


def test_without_the_package_the_import_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "portico.web.middleware.opentelemetry", raising=False)
    with pytest.raises(ImportError, match="pip install opentelemetry-api"):
        importlib.import_module("portico.web.middleware.opentelemetry")


@pytest.fixture
def traced():
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from portico.web.middleware.opentelemetry import OpenTelemetryMiddleware

    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))

    def wrap(app, **settings):
        return OpenTelemetryMiddleware(app, tracer_provider=provider, **settings)

    wrap.spans = exporter.get_finished_spans
    return wrap


def test_a_request_is_one_span_also_through_two_middlewares(traced):
    ask(traced(traced(page(status=201))), path="/x", headers={"user-agent": "tester"})
    (span,) = traced.spans()
    assert span.attributes["http.response.status_code"] == 201
    assert span.attributes["url.path"] == "/x"
    assert span.attributes["user_agent.original"] == "tester"


def test_an_exception_is_noted_and_goes_on(traced):
    async def app(scope, receive, send):
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        ask(traced(app))
    assert traced.spans()[0].attributes["error.type"] == "ValueError"


def test_excluded_urls_are_not_recorded(traced):
    ask(traced(page(), excluded_urls="/health$, /metrics$"), path="/metrics")
    assert traced.spans() == ()


def test_other_scopes_are_not_recorded(traced):
    async def app(scope, receive, send):
        pass

    asyncio.run(traced(app)(make_scope(type="websocket"), None, None))
    assert traced.spans() == ()
