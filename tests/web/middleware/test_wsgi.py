import asyncio
import contextvars
import sys
import threading

import pytest
from tests.web.middleware.exchange import ask, exchange, make_scope

from portico.asgi import ClientDisconnected
from portico.web.middleware.wsgi import WSGIMiddleware, WSGIProtocolError, build_environ

PLAIN = [("Content-Type", "text/plain")]


def wsgi(*parts, headers=PLAIN, status="200 OK"):
    def app(environ, start_response):
        start_response(status, list(headers))
        return list(parts)

    return WSGIMiddleware(app)


def echo(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


def test_the_response_is_sent_with_its_status_and_fields():
    answer = ask(wsgi(b"a", b"", b"b", headers=[("X-A", " é "), ("X-A", "2")], status="404 Not Found"))
    assert (answer.status, answer.body, answer.fields) == (404, b"ab", [(b"x-a", b"\xe9"), (b"x-a", b"2")])


def test_a_status_may_lack_its_phrase():
    assert ask(wsgi(b"", status="204")).status == 204


@pytest.mark.parametrize("body", [b"", b"body", [b"bo", b"", b"dy"], [b"x" * 100_000] * 3])
def test_the_body_can_be_read(body):
    assert ask(WSGIMiddleware(echo), "POST", body=body).body == (body if isinstance(body, bytes) else b"".join(body))


def test_the_body_can_be_read_by_lines():
    def app(environ, start_response):
        start_response("200 OK", [])
        return list(environ["wsgi.input"])[::-1]

    assert ask(WSGIMiddleware(app), "POST", body=[b"a\nb", b"c\n"]).body == b"bc\na\n"


def test_no_more_of_the_body_is_taken_than_is_read():
    received = []

    async def receive():
        received.append(1)
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    def app(environ, start_response):
        environ["wsgi.input"].read(10)
        start_response("200 OK", [])
        return []

    async def send(message):
        pass

    asyncio.run(WSGIMiddleware(app)(make_scope("POST"), receive, send))
    assert len(received) == 1


def test_each_part_is_sent_whatever_time_the_next_one_takes():
    order = []
    sent = threading.Semaphore(0)

    def app(environ, start_response):
        start_response("200 OK", [])
        for number in range(3):
            order.append(f"made {number}")
            yield b"%d" % number
            assert sent.acquire(timeout=10)

    async def send(message):
        if message.get("body"):
            order.append(f"sent {message['body'].decode()}")
            sent.release()

    asyncio.run(WSGIMiddleware(app)(make_scope(), None, send))
    assert order == ["made 0", "sent 0", "made 1", "sent 1", "made 2", "sent 2"]


def test_no_more_is_made_than_is_sent_but_for_a_little():
    made = []

    def app(environ, start_response):
        start_response("200 OK", [])
        for number in range(100):
            made.append(number)
            yield b"x" * 40_000

    ahead = []

    async def send(message):
        ahead.append(len(made) * 40_000 - sum(sizes))
        sizes.append(len(message.get("body", b"")))
        await asyncio.sleep(0)

    sizes = []
    asyncio.run(WSGIMiddleware(app)(make_scope(), None, send))
    assert sum(sizes) == 4_000_000
    assert max(ahead) <= 160_000


def test_the_application_does_not_run_in_the_loops_thread():
    def app(environ, start_response):
        start_response("200 OK", [])
        return [str(threading.current_thread() is threading.main_thread()).encode()]

    assert ask(WSGIMiddleware(app)).body == b"False"


class Closing:
    def __init__(self, parts, closed):
        self.parts, self.closed = parts, closed

    def __iter__(self):
        return iter(self.parts)

    def close(self):
        self.closed.append(True)


def test_what_it_returned_is_closed_also_when_the_client_goes():
    closed = []

    def app(environ, start_response):
        start_response("200 OK", [])
        return Closing([b"a"] * 100, closed)

    assert len(ask(WSGIMiddleware(app)).body) == 100

    async def send(message):
        raise ClientDisconnected

    with pytest.raises(ClientDisconnected):
        asyncio.run(WSGIMiddleware(app)(make_scope(), None, send))
    assert closed == [True, True]


def test_a_client_that_goes_while_its_body_is_read_is_an_error_and_no_end():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ConnectionResetError):
        asyncio.run(WSGIMiddleware(echo)(make_scope("POST"), receive, None))


def test_an_exception_arrives():
    def app(environ, start_response):
        raise RuntimeError("wrong")

    with pytest.raises(RuntimeError, match="wrong"):
        ask(WSGIMiddleware(app))


def failing(after):
    def app(environ, start_response):
        write = start_response("200 OK", [])
        if after:
            write(b"written")
        try:
            raise RuntimeError("wrong")
        except RuntimeError:
            start_response("500 Error", [], sys.exc_info())
        return [b"error page"]

    return WSGIMiddleware(app)


@pytest.mark.parametrize("after", [False, True])
def test_an_error_page_takes_the_place_of_a_response_that_has_not_started_and_the_error_arrives(after):
    sent = []

    async def send(message):
        sent.append(message.get("status") or message["body"])

    with pytest.raises(RuntimeError, match="wrong"):
        asyncio.run(failing(after)(make_scope(), None, send))
    assert sent == ([200, b"written"] if after else [500, b"error page"])


def test_mistakes_of_the_application_are_named():
    def silent(environ, start_response):
        return [b"x"]

    def twice(environ, start_response):
        start_response("200 OK", [])
        start_response("200 OK", [])

    for app, text in ((silent, "did not call start_response"), (twice, "called twice")):
        with pytest.raises(WSGIProtocolError, match=text):
            ask(WSGIMiddleware(app))
    with pytest.raises(WSGIProtocolError, match="websocket"):
        ask(wsgi(), scope={"type": "websocket"})


def test_fields_that_could_pose_as_others_are_left_out():
    headers = {"x_user": "root", "x-user": "ann", "proxy": "http://evil.example", "content_length": "9"}
    environ = build_environ(make_scope(headers=headers), b"")
    assert environ["HTTP_X_USER"] == "ann"
    assert not {"HTTP_PROXY", "CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"} & set(environ)


def test_what_follows_the_mount_is_the_path():
    environ = build_environ(make_scope(path="/old/é", root_path="/old"), b"")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/old", "/Ã©")


def test_so_many_requests_are_handled_at_a_time():
    barrier = threading.Barrier(2, timeout=10)

    def app(environ, start_response):
        barrier.wait()
        start_response("200 OK", [])
        return [str(environ["wsgi.multithread"]).encode()]

    middleware = WSGIMiddleware(app, threads=2)

    async def both():
        return await asyncio.gather(exchange(middleware, make_scope(), []), exchange(middleware, make_scope(), []))

    assert [answer.body for answer in asyncio.run(both())] == [b"True", b"True"]


def test_context_variables_pass_both_ways():
    variable = contextvars.ContextVar("variable")

    def app(environ, start_response):
        start_response("200 OK", [])
        value = variable.get()
        variable.set("inside")
        return [value.encode()]

    async def main():
        variable.set("outside")
        answer = await exchange(WSGIMiddleware(app), make_scope(), [])
        return answer.body, variable.get()

    assert asyncio.run(main()) == (b"outside", "inside")


def test_a_call_that_is_cancelled_tells_the_application_and_does_not_wait_for_it():
    inside, left = threading.Event(), threading.Event()

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            while True:
                inside.set()
                yield b"more"
        finally:
            left.set()

    async def main():
        task = asyncio.create_task(exchange(WSGIMiddleware(app), make_scope(), []))
        await asyncio.to_thread(inside.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert left.wait(10)
