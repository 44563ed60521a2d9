import asyncio
import re
import threading
from html.parser import HTMLParser

import pytest
from tests.web.middleware.exchange import Answer, make_scope
from tests.web.middleware.exchange import page as ok

from portico.debugpage import MAX_PAGE, MAX_TEXT, page, plain_text
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.middleware.cors import CORSMiddleware
from portico.web.middleware.errors import ServerErrorMiddleware
from portico.web.middleware.refusal import ERROR_HEADERS_SCOPE_KEY
from portico.web.responses import JSONResponse, PlainTextResponse

HTML = {"accept": "text/html,*/*"}
VOID = {"meta", "br"}


def failing(error=None):
    async def app(scope, receive, send):
        raise error or RuntimeError("wrong")

    return app


def answer_of(app, headers=None, scope=None, error=RuntimeError):
    """The response to a request whose exception goes on to the server."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    with pytest.raises(error):
        asyncio.run(app(scope or make_scope(headers=headers or {}), receive, send))
    return Answer(sent)


def debugged(error, headers=HTML, **more):
    return answer_of(ServerErrorMiddleware(failing(error), debug=True), error=type(error), scope=make_scope(
        headers=headers, **more)).body.decode()  # fmt: skip


class Tags(HTMLParser):
    """Notes the tags, and fails where they are not balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text = [], set(), ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        assert all(not name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def raised(error, cause=None):
    try:
        raise error from cause
    except BaseException as caught:
        return caught


# Without the debug page


def test_an_unhandled_exception_is_a_500_and_goes_on_to_the_server():
    answer = answer_of(ServerErrorMiddleware(failing()))
    assert (answer.status, answer.body) == (500, b"Internal Server Error")


def test_the_text_of_the_exception_is_not_shown_by_default():
    assert b"wrong" not in answer_of(ServerErrorMiddleware(failing()), HTML).body


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_handler_makes_the_response(kind):
    def sync_handler(request, error):
        return JSONResponse({"path": request.url.path, "error": str(error)}, status_code=503)

    async def async_handler(request, error):
        return sync_handler(request, error)

    handler = sync_handler if kind == "sync" else async_handler
    answer = answer_of(ServerErrorMiddleware(failing(), handler=handler))
    assert (answer.status, answer.body) == (503, b'{"path":"/","error":"wrong"}')


def test_a_handler_that_fails_leaves_the_plain_500():
    def handler(request, error):
        raise KeyError("of the handler")

    answer = answer_of(ServerErrorMiddleware(failing(), handler=handler), error=KeyError)
    assert (answer.status, answer.body) == (500, b"Internal Server Error")


def test_a_handler_that_returns_nothing_is_said_to_be_a_mistake():
    def handler(request, error):
        return None

    answer = answer_of(ServerErrorMiddleware(failing(), handler=handler), error=TypeError)
    assert answer.status == 500


def test_nothing_is_sent_after_the_response_has_started_but_the_handler_hears_of_the_exception():
    heard = []

    async def app(scope, receive, send):
        await ok()(scope, receive, send)
        raise RuntimeError("late")

    for debug in (False, True):
        answer = answer_of(ServerErrorMiddleware(app, lambda request, error: heard.append(error), debug))
        assert [m["type"] for m in answer.messages] == ["http.response.start", "http.response.body"]
    assert len(heard) == 1


def test_a_cancellation_is_none_of_its_business():
    answer = answer_of(ServerErrorMiddleware(failing(asyncio.CancelledError())), error=asyncio.CancelledError)
    assert answer.messages == []


def test_other_scopes_go_past_it():
    answer = answer_of(ServerErrorMiddleware(failing()), scope=make_scope(type="websocket"))
    assert answer.messages == []


# What layers inside add to the response


@pytest.mark.parametrize("debug", [False, True])
def test_the_500_has_the_fields_of_cors(debug):
    app = ServerErrorMiddleware(CORSMiddleware(failing(), allow_origins=["https://a.example"]), debug=debug)
    answer = answer_of(app, {"origin": "https://a.example"})
    assert answer.status == 500
    assert answer.get("access-control-allow-origin") == "https://a.example"
    assert "Origin" in answer.get("vary")


def test_fields_are_added_to_what_a_handler_makes():
    async def app(scope, receive, send):
        scope[ERROR_HEADERS_SCOPE_KEY] = [lambda headers: headers.update({"x-added": "1"})]
        raise RuntimeError

    response = PlainTextResponse("x", status_code=500)
    answer = answer_of(ServerErrorMiddleware(app, handler=lambda request, error: response))
    assert answer.get("x-added") == "1"
    assert "x-added" not in response.headers


def test_a_body_limit_outside_answers_for_a_mounted_application():
    async def app(scope, receive, send):
        await receive()

    mounted = ServerErrorMiddleware(app, debug=True)
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"123456"}

    async def send(message):
        sent.append(message)

    asyncio.run(RequestBodyLimitMiddleware(mounted, 5)(make_scope("POST"), receive, send))
    assert Answer(sent).status == 413


# The debug page


def test_the_page_is_html_only_for_who_accepts_it():
    app = ServerErrorMiddleware(failing(), debug=True)
    assert answer_of(app, HTML).get("content-type") == "text/html; charset=utf-8"
    text = answer_of(app)
    assert text.get("content-type") == "text/plain; charset=utf-8"
    assert text.body.startswith(b"Traceback (most recent call last):")
    assert text.body.endswith(b"RuntimeError: wrong\n")


def test_the_page_shows_the_request_the_exception_and_the_source():
    text = Tags(debugged(RuntimeError("what is wrong"), query_string=b"q=1", path="/shop")).text
    assert "GET /shop?q=1 HTTP/1.1" in text
    assert "RuntimeError" in text
    assert "what is wrong" in text
    assert 'raise error or RuntimeError("wrong")' in text
    assert "test_errors.py" in text


def test_the_page_is_one_document_without_scripts_and_links():
    answer = answer_of(ServerErrorMiddleware(failing(), debug=True), HTML)
    body = answer.body.decode()
    assert body.startswith("<!DOCTYPE html>")
    assert Tags(body).seen.isdisjoint({"script", "link", "img", "iframe", "a"})
    assert not re.search(r"https?:|url\(|@import", body)
    assert "default-src 'none'" in answer.get("content-security-policy")
    assert answer.get("cache-control") == "no-store"


def test_everything_in_the_page_is_escaped():
    bad = "<script>alert('x')</script>\"&"
    error = RuntimeError(bad)
    error.add_note(bad)
    namespace = {}
    exec(compile("def f(error):\n    raise error\n", f"/{bad}.py", "exec"), namespace)
    function = namespace["f"]
    function.__code__ = function.__code__.replace(co_name=bad, co_qualname=bad)
    kind = type(bad, (Exception,), {"__module__": bad})
    for inner in (error, kind(bad), SyntaxError(bad, (bad, 1, 1, bad)), ExceptionGroup(bad, [error])):
        try:
            function(inner)
        except Exception as caught:
            body = page(caught, scope=make_scope(path=bad, method=bad, query_string=bad.encode()), show_locals=True)
        assert "<script" not in body
        assert bad in Tags(body).text


def test_locals_are_not_shown_by_default():
    def fail():
        visible = "the value of a local"
        raise RuntimeError(len(visible))

    def error():
        try:
            fail()
        except RuntimeError as caught:
            return caught

    assert "visible" in page(error())  # in the source
    assert "&#x27;the value of a local&#x27;" not in page(error())
    assert "&#x27;the value of a local&#x27;" in page(error(), show_locals=True)


def test_a_subclass_may_show_locals():
    class WithLocals(ServerErrorMiddleware):
        debug_locals = True

    assert "<table>" in answer_of(WithLocals(failing(), debug=True), HTML).body.decode()
    assert "<table>" not in answer_of(ServerErrorMiddleware(failing(), debug=True), HTML).body.decode()


def test_locals_are_bounded_and_secrets_are_hidden():
    class Fails:
        def __repr__(self):
            raise ValueError

    def fail():
        db_password = "hunter" + "2"
        big = ["x" * 10_000] * 10_000
        fails = Fails()
        number = 10**5000
        raise RuntimeError(len(db_password), len(big), type(fails), type(number))

    try:
        fail()
    except RuntimeError as error:
        body = page(error, show_locals=True, context_lines=1)
    assert "hunter2" not in body
    assert "(hidden)" in body
    assert len(body) < 30_000


def test_causes_and_contexts_are_shown_and_suppressed_contexts_are_not():
    try:
        try:
            try:
                raise KeyError("first")
            except KeyError as first:
                raise ValueError("second") from first
        except ValueError:
            raise RuntimeError("third") from None
    except RuntimeError as error:
        alone = page(error)
        error.__suppress_context__ = False
        text = Tags(page(error)).text
    assert "second" not in Tags(alone).text.replace('raise ValueError("second")', "")
    assert text.index("third") < text.index("while the following was handled") < text.index("was caused by")


def test_notes_and_groups_are_shown():
    inner = raised(ValueError("inner one"), KeyError("its cause"))
    inner.add_note("a note")
    text = Tags(page(raised(ExceptionGroup("the group", [inner, TypeError("inner two")])))).text
    for part in ("the group", "2 sub-exceptions", "1 of 2", "inner one", "a note", "its cause", "2 of 2", "inner two"):
        assert part in text


def recursive(depth):
    if depth:
        recursive(depth - 1)
    else:
        raise RuntimeError("deep")


def endless_chain():
    error = RuntimeError("x")
    for number in range(10_000):
        following = RuntimeError(f"{number}" * 10)
        following.__cause__ = error
        error = following
    return raised(error)


def deep_group():
    group = ExceptionGroup("leaf", [ValueError("x" * 10_000)])
    for _ in range(100):
        group = ExceptionGroup("level", [group, *[ValueError("x" * 10_000)] * 50])
    return group


def wide():
    error = RuntimeError("x")
    for _ in range(10_000):
        error.add_note("n" * 10_000)
    return error


def deep():
    try:
        recursive(600)
    except RuntimeError as error:
        return error


def cyclic():
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    return first


class Untold(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    "make",
    [endless_chain, deep_group, wide, deep, cyclic, lambda: RuntimeError("x" * 10**7), Untold],
    ids=["chain", "group", "notes", "recursion", "cycle", "message", "no text"],
)
def test_a_page_is_bounded_and_well_formed(make):
    body = page(make(), show_locals=True)
    assert len(body) < MAX_PAGE + 30_000
    Tags(body)


def test_a_long_traceback_shows_both_ends():
    text = Tags(page(deep())).text
    assert text.index('raise RuntimeError("deep")') < text.index("frames left out") < text.index("recursive(600)")


def test_plain_text_is_bounded():
    assert len(plain_text(RuntimeError("x" * 10**7))) < MAX_TEXT + 100


def test_the_page_is_made_in_a_thread():
    threads = []

    class Watched(ServerErrorMiddleware):
        def debug_response(self, request, exc):
            threads.append(threading.current_thread())
            return super().debug_response(request, exc)

    answer_of(Watched(failing(), debug=True), HTML)
    assert threads[0] is not threading.main_thread()


def test_the_piece_that_was_running_is_marked():
    def fail():
        return 1 + (1 / 0)

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    assert "<mark>1 / 0</mark>" in page(caught.value)


def test_a_subclass_may_make_a_page_of_its_own():
    class Own(ServerErrorMiddleware):
        def generate_html(self, exc, limit=7):
            return f"own {exc}"

    assert answer_of(Own(failing(), debug=True), HTML).body == b"own wrong"


@pytest.mark.parametrize("headers", [HTML, {}])
def test_a_message_that_utf8_has_no_form_for_is_shown(headers):
    assert "name \\udcff" in debugged(ValueError("name \udcff"), headers)
