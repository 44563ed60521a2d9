import asyncio
import contextlib
import contextvars
import gc
import logging

import pytest
from tests.web.middleware.exchange import ask, make_scope, page

from portico.asgi import ClientDisconnected
from portico.web.background import BackgroundTask
from portico.web.concurrency import iterate_in_threadpool
from portico.web.middleware.base import BaseHTTPMiddleware
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response, StreamingResponse

START = {"type": "http.response.start", "status": 200, "headers": []}


def chunk(body, more=True):
    return {"type": "http.response.body", "body": body, "more_body": more}


async def noop(request, call_next):
    return await call_next(request)


def around(app, dispatch=noop, times=1):
    for _ in range(times):
        app = BaseHTTPMiddleware(app, dispatch)
    return app


async def no_receive():
    raise AssertionError("nothing is to be received")


async def forever():
    await asyncio.get_running_loop().create_future()


class Sent(list):
    async def __call__(self, message):
        self.append(message)


# What is seen through it


variable = contextvars.ContextVar("variable", default="nothing")


def test_context_variables_are_seen_both_ways():
    async def app(scope, receive, send):
        assert variable.get() == "of dispatch"
        variable.set("of the application")
        await page()(scope, receive, send)

    async def dispatch(request, call_next):
        variable.set("of dispatch")
        response = await call_next(request)
        assert variable.get() == "of the application"
        return response

    assert ask(around(app, dispatch)).body == b"page"


def test_the_application_runs_in_the_task_of_its_caller():
    tasks = set()

    async def app(scope, receive, send):
        tasks.add(asyncio.current_task())
        tasks.update(asyncio.all_tasks())
        await page()(scope, receive, send)
        tasks.add(asyncio.current_task())

    async def dispatch(request, call_next):
        tasks.add(asyncio.current_task())
        return await call_next(request)

    ask(around(around(app, dispatch), times=3))
    assert len(tasks) == 1


def test_the_messages_of_a_response_that_is_returned_as_it_came_go_through_as_they_are():
    messages = [chunk(b"a"), {"type": "http.response.trailers", "headers": []}, chunk(b"b", more=False)]

    async def app(scope, receive, send):
        await send({**START, "trailers": True})
        for message in messages:
            await send(message)

    sent = ask(around(app, times=3)).messages
    assert sent[0] == {**START, "trailers": True}
    assert all(ours is theirs for ours, theirs in zip(sent[1:], messages, strict=True))


def test_a_path_is_sent_on():
    async def app(scope, receive, send):
        await send(START)
        await send({"type": "http.response.pathsend", "path": "/x"})

    async def renamed(request, call_next):
        response = await call_next(request)
        response.body_iterator = (part async for part in response.body_iterator)
        return response

    for dispatch in (noop, renamed):
        assert [m["type"] for m in ask(around(app, dispatch)).messages] == [
            "http.response.start",
            "http.response.pathsend",
        ]


def test_early_hints_go_out_before_the_response_is_there():
    hint = {"type": "http.response.early_hint", "links": [b"</x.css>"]}

    async def app(scope, receive, send):
        await send(hint)
        await page()(scope, receive, send)

    async def other(request, call_next):
        await call_next(request)
        return PlainTextResponse("other")

    assert ask(around(app, other)).messages[0] is hint


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_scopes_go_past_it(kind):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    async def fails(request, call_next):
        raise AssertionError

    scope, sent = {"type": kind}, Sent()
    asyncio.run(around(app, fails)(scope, no_receive, sent))
    assert seen == [(scope, no_receive, sent)]


# What the function may do


def test_status_and_headers_can_be_changed_without_changing_the_applications_own():
    headers = [(b"a", b"1")]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(chunk(b"x", more=False))

    async def dispatch(request, call_next):
        response = await call_next(request)
        response.status_code = 201
        response.headers["b"] = "2"
        return response

    answer = ask(around(app, dispatch))
    assert (answer.status, answer.fields) == (201, [(b"a", b"1"), (b"b", b"2")])
    assert headers == [(b"a", b"1")]


def test_it_may_answer_without_the_application():
    async def app(scope, receive, send):
        raise AssertionError("is not called")

    async def dispatch(request, call_next):
        return PlainTextResponse("early")

    assert ask(around(app, dispatch)).body == b"early"


def test_it_may_read_the_body_of_the_response_and_send_another():
    ends = []

    async def app(scope, receive, send):
        await page([b"a", b"b", b"c"])(scope, receive, send)
        ends.append("application")

    async def dispatch(request, call_next):
        response = await call_next(request)
        body = b"".join([part async for part in response.body_iterator])
        return PlainTextResponse(body.upper(), background=BackgroundTask(ends.append, "background"))

    assert ask(around(app, dispatch)).body == b"ABC"
    assert sorted(ends) == ["application", "background"]


def test_it_may_read_the_body_of_the_response_and_put_it_back():
    async def dispatch(request, call_next):
        response = await call_next(request)
        parts = [part async for part in response.body_iterator]
        response.body_iterator = iterate_in_threadpool(iter(parts))
        return response

    assert ask(around(page([b"a", b"b"]), dispatch, times=2)).body == b"ab"


def test_it_may_wrap_the_iterator_of_the_body():
    async def upper(parts):
        async for part in parts:
            yield part.upper()

    async def dispatch(request, call_next):
        response = await call_next(request)
        response.body_iterator = upper(response.body_iterator)
        return response

    assert ask(around(page([b"a", b"b"]), dispatch, times=2)).body == b"AB"


def test_the_background_task_that_it_adds_runs_after_the_body():
    order = []

    async def dispatch(request, call_next):
        response = await call_next(request)
        response.background = BackgroundTask(order.append, "background")
        return response

    async def send(message):
        order.append(message["type"])

    asyncio.run(around(page(), dispatch)(make_scope(), no_receive, send))
    assert order[-1] == "background"
    assert order[0] == "http.response.start"


def test_it_may_call_the_application_again():
    calls = []

    async def app(scope, receive, send):
        calls.append(1)
        await page(status=503 if len(calls) == 1 else 200, body=b"%d" % len(calls))(scope, receive, send)

    async def retry(request, call_next):
        response = await call_next(request)
        return await call_next(request) if response.status_code == 503 else response

    answer = ask(around(app, retry))
    assert (answer.status, answer.body) == (200, b"2")


def test_returning_nothing_is_said_to_be_a_mistake():
    async def dispatch(request, call_next):
        await call_next(request)

    with pytest.raises(TypeError, match="returned None"):
        ask(around(page(), dispatch))


def test_a_subclass_without_dispatch_is_said_to_need_it():
    with pytest.raises(NotImplementedError, match="dispatch"):
        ask(BaseHTTPMiddleware(page()))


def test_an_application_that_sends_nothing_is_an_error():
    async def app(scope, receive, send):
        pass

    with pytest.raises(RuntimeError, match="No response returned"):
        ask(around(app))


# The request's body


async def read_body(request, call_next):
    assert await request.body() == b"body"
    return await call_next(request)


async def endpoint_body(scope, receive, send):
    await Response(await Request(scope, receive).body())(scope, receive, send)


async def raw_body(scope, receive, send):
    message = await receive()
    assert not message.get("more_body")
    await Response(message["body"])(scope, receive, send)


async def wrapped_body(scope, receive, send):
    async def doubled():
        message = await receive()
        return {**message, "body": message["body"] * 2}

    await endpoint_body(scope, doubled, send)


@pytest.mark.parametrize(
    ("app", "expected"), [(endpoint_body, b"body"), (raw_body, b"body"), (wrapped_body, b"bodybody")]
)
def test_a_body_that_it_has_read_can_be_read_again(app, expected):
    assert ask(around(app, read_body, times=3), "POST", body=[b"bo", b"dy"]).body == expected


def test_a_form_that_it_has_read_can_be_read_again():
    async def app(scope, receive, send):
        form = await Request(scope, receive).form()
        await Response(form["a"])(scope, receive, send)

    async def dispatch(request, call_next):
        assert (await request.form())["a"] == "1"
        return await call_next(request)

    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert ask(around(app, dispatch, times=2), "POST", headers=headers, body=b"a=1").body == b"1"


def test_a_body_that_it_has_read_as_a_stream_is_empty_behind_it():
    async def dispatch(request, call_next):
        assert [part async for part in request.stream()] == [b"body", b""]
        return await call_next(request)

    for app in (endpoint_body, raw_body):
        assert ask(around(app, dispatch), "POST", body=b"body").body == b""


def test_function_and_application_may_share_a_stream():
    async def dispatch(request, call_next):
        parts = []
        async for part in request.stream():
            parts.append(part)
            if len(parts) == 1:
                response = await call_next(request)
        assert parts == [b"a", b""]
        return response

    assert ask(around(endpoint_body, dispatch), "POST", body=[b"a", b"b", b"c"]).body == b"bc"


def test_a_body_that_it_does_not_read_is_not_held():
    pieces = [b"x" * 1000 for _ in range(3)]
    asked = []

    async def receive():
        asked.append(len(pieces))
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    async def app(scope, receive, send):
        async for part in Request(scope, receive).stream():
            if part:
                assert len(asked) == 3 - len(pieces)
        await page()(scope, receive, send)

    asyncio.run(around(app, times=2)(make_scope("POST"), receive, Sent()))


# The client goes away


def gone_after_the_body():
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def test_the_application_sees_that_the_client_has_gone():
    seen = []

    async def app(scope, receive, send):
        request = Request(scope, receive)
        await request.body()
        seen.append(await request.is_disconnected())
        await page()(scope, receive, send)

    asyncio.run(around(app, times=3)(make_scope(), gone_after_the_body(), Sent()))
    assert seen == [True]


def test_a_client_that_is_there_is_not_taken_for_gone():
    seen = []

    async def receive():
        await forever()

    async def app(scope, receive, send):
        seen.append(await Request(scope, receive).is_disconnected())
        await page()(scope, receive, send)

    async def dispatch(request, call_next):
        seen.append(await request.is_disconnected())
        response = await call_next(request)
        seen.append(await request.is_disconnected())
        return response

    asyncio.run(around(app, dispatch, times=2)(make_scope(), receive, Sent()))
    assert seen == [False] * 5


def test_it_sees_that_the_client_has_gone_when_the_application_has_seen_it():
    seen = []

    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await page()(scope, receive, send)

    async def dispatch(request, call_next):
        response = await call_next(request)
        seen.append(await request.is_disconnected())
        return response

    asyncio.run(around(app, dispatch)(make_scope(), gone_after_the_body(), Sent()))
    assert seen == [True]


def test_what_send_raises_reaches_the_application():
    seen = []

    async def send(message):
        if message["type"] == "http.response.body":
            raise ClientDisconnected

    async def app(scope, receive, send):
        try:
            await page()(scope, receive, send)
        except OSError as error:
            seen.append(type(error))
            raise

    with pytest.raises(ClientDisconnected):
        asyncio.run(around(app, times=3)(make_scope(), no_receive, send))
    assert seen == [ClientDisconnected]


def test_a_background_task_is_not_cancelled_when_the_client_goes():
    ran = []

    async def task():
        await asyncio.sleep(0)
        ran.append(True)

    app = PlainTextResponse("x", background=BackgroundTask(task))
    asyncio.run(around(app, times=2)(make_scope(), gone_after_the_body(), Sent()))
    assert ran == [True]


def test_a_stream_ends_quietly_when_an_old_server_says_that_the_client_has_gone():
    closed = []

    async def parts():
        try:
            yield b"a"
            await forever()
        finally:
            closed.append(True)

    async def slow(request, call_next):
        response = await call_next(request)
        await forever()  # until the application, which listens to the client, cancels its task
        return response

    for dispatch in (noop, slow):
        scope = make_scope(asgi={"version": "3.0", "spec_version": "2.3"})
        asyncio.run(around(StreamingResponse(parts()), dispatch)(scope, gone_after_the_body(), Sent()))
    assert closed == [True]  # of the second nothing was asked for


# Streams


@pytest.mark.parametrize("cancelled", [True, False])
def test_an_application_whose_work_was_stopped_because_the_client_has_gone_ends_quietly(cancelled):
    async def app(scope, receive, send):
        await page()(scope, receive, send)
        work = asyncio.get_running_loop().create_future()
        work.cancel()
        if cancelled:
            asyncio.current_task().cancel()
        await work

    async def dispatch(request, call_next):
        response = await call_next(request)
        return StreamingResponse(response.body_iterator)

    async def main():
        await around(app, dispatch)(make_scope(asgi={"spec_version": "2.4"}), no_receive, sent)

    sent = Sent()
    with pytest.raises(asyncio.CancelledError) if cancelled else contextlib.nullcontext():
        asyncio.run(main())
    assert sent[-1]["more_body"] is False


def test_a_shielded_call_of_the_application_ends_when_its_request_is_cancelled():
    ended = []

    async def app(scope, receive, send):
        try:
            await forever()
        finally:
            ended.append("application")

    async def dispatch(request, call_next):
        return await asyncio.shield(call_next(request))

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: ended.append(context["message"]))
        before = asyncio.all_tasks()
        task = asyncio.create_task(around(app, dispatch)(make_scope(), no_receive, Sent()))
        while len(asyncio.all_tasks()) < len(before) + 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        gc.collect()

    asyncio.run(main())
    assert ended == ["application"]


def test_each_part_of_a_stream_is_sent_before_the_next_is_made():
    order = []

    async def parts():
        for number in range(3):
            order.append(f"made {number}")
            yield b"%d" % number

    async def send(message):
        if message.get("body"):
            order.append(f"sent {message['body'].decode()}")

    async def iterated(request, call_next):
        response = await call_next(request)
        response.body_iterator = (part async for part in response.body_iterator)
        return response

    for dispatch in (noop, iterated):
        order.clear()
        asyncio.run(around(StreamingResponse(parts()), dispatch, times=2)(make_scope(), no_receive, send))
        assert order == ["made 0", "sent 0", "made 1", "sent 1", "made 2", "sent 2"]


def test_a_stream_that_is_not_wanted_is_closed_and_told_that_the_client_has_gone():
    seen = []

    async def parts():
        try:
            while True:
                yield b"x"
        finally:
            seen.append("closed")

    async def app(scope, receive, send):
        try:
            await StreamingResponse(parts())(scope, receive, send)
        except OSError as error:
            seen.append(type(error).__mro__[0].__name__)
            assert (await receive())["type"] == "http.disconnect"
            raise

    async def first_part_only(request, call_next):
        response = await call_next(request)
        async for _ in response.body_iterator:
            break
        return PlainTextResponse("other")

    async def unread(request, call_next):
        await call_next(request)
        return PlainTextResponse("other")

    for dispatch in (first_part_only, unread):
        seen.clear()
        scope = make_scope(asgi={"version": "3.0", "spec_version": "2.4"})
        assert ask(around(app, dispatch), scope=scope).body == b"other"
        assert seen[0] == "closed"
        assert len(seen) == 2


def test_the_rest_of_a_short_response_that_is_not_wanted_is_dropped_and_its_background_task_runs():
    ran = []

    async def other(request, call_next):
        await call_next(request)
        return PlainTextResponse("other")

    app = PlainTextResponse("first", background=BackgroundTask(ran.append, True))
    assert ask(around(app, other)).body == b"other"
    assert ran == [True]


# Exceptions


def test_an_exception_arrives_as_it_was_raised():
    error = ValueError("x")

    async def app(scope, receive, send):
        raise error

    with pytest.raises(ValueError, match="x") as caught:
        ask(around(app, times=3))
    assert caught.value is error
    assert error.__context__ is error.__cause__ is None


def test_an_exception_can_be_caught_and_answered():
    async def app(scope, receive, send):
        raise ValueError("x")

    async def dispatch(request, call_next):
        try:
            return await call_next(request)
        except ValueError as error:
            return PlainTextResponse(str(error), status_code=400)

    assert ask(around(app, dispatch)).status == 400


@pytest.mark.parametrize("where", ["in the body", "in the background"])
def test_an_exception_after_the_start_arrives(where):
    async def app(scope, receive, send):
        await send(START)
        await send(chunk(b"a", more=where == "in the body"))
        raise ValueError("late")

    sent = Sent()
    with pytest.raises(ValueError, match="late"):
        asyncio.run(around(app, times=3)(make_scope(), no_receive, sent))
    assert len(sent) == 2


def test_an_application_is_unwound_when_the_function_fails():
    seen = []

    async def app(scope, receive, send):
        try:
            await send(START)
        except OSError:
            seen.append("told")
            raise
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async def dispatch(request, call_next):
        await call_next(request)
        raise KeyError("of dispatch")

    with pytest.raises(KeyError) as caught:
        ask(around(app, dispatch))
    assert seen == ["told", "cleaned up"]
    assert caught.value.__context__ is None


def test_an_error_of_the_unwinding_is_logged(caplog):
    async def app(scope, receive, send):
        try:
            await send(START)
        finally:
            raise ValueError("of the application")

    async def dispatch(request, call_next):
        await call_next(request)
        raise KeyError("of dispatch")

    with caplog.at_level(logging.ERROR), pytest.raises(KeyError):
        ask(around(app, dispatch))
    assert "of the application" in caplog.text


# Cancellation


def cancelled_while(app, dispatch=noop, times=1):
    """Cancel the exchange when everything waits; return the task."""

    async def main():
        task = asyncio.ensure_future(around(app, dispatch, times)(make_scope(), no_receive, Sent()))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel("enough")
        await asyncio.wait([task])
        return task

    return asyncio.run(main())


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("times", [1, 3])
def test_a_cancellation_reaches_the_application_where_it_waits(started, times):
    seen = []

    async def app(scope, receive, send):
        try:
            if started:
                await send(START)
            await forever()
        except asyncio.CancelledError as error:
            seen.append(error.args)
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    assert cancelled_while(app, times=times).cancelled()
    assert seen == [("enough",), "cleaned up"]


def test_a_cancellation_of_the_function_reaches_the_application():
    seen = []

    async def app(scope, receive, send):
        try:
            await send(START)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    async def dispatch(request, call_next):
        response = await call_next(request)
        await forever()
        return response

    assert cancelled_while(app, dispatch).cancelled()
    assert seen == ["cleaned up"]


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancellation_goes_through_to_the_task_that_the_application_waits_for(times):
    seen = []

    async def inner():
        try:
            await forever()
        finally:
            seen.append("inner")

    async def app(scope, receive, send):
        await asyncio.ensure_future(inner())

    assert cancelled_while(app, times=times).cancelled()
    assert seen == ["inner"]


def test_a_timeout_in_the_function_ends_the_application():
    seen = []

    async def app(scope, receive, send):
        try:
            await forever()
        finally:
            seen.append("ended")

    async def dispatch(request, call_next):
        try:
            async with asyncio.timeout(0):
                return await call_next(request)
        except TimeoutError:
            return PlainTextResponse("late", status_code=504)

    assert ask(around(app, dispatch, times=2)).status == 504
    assert seen == ["ended"]


def test_a_timeout_of_the_application_that_comes_while_the_function_waits_is_the_applications():
    async def app(scope, receive, send):
        async with asyncio.timeout(0.01):
            await send(START)

    async def dispatch(request, call_next):
        response = await call_next(request)
        await forever()
        return response

    async def main():
        task = asyncio.ensure_future(around(app, dispatch)(make_scope(), no_receive, Sent()))
        await asyncio.wait([task])
        return task

    task = asyncio.run(main())
    assert not task.cancelled()
    assert isinstance(task.exception(), TimeoutError)


def test_a_middleware_that_is_closed_closes_the_application():
    seen = []

    async def app(scope, receive, send):
        try:
            await forever()
        finally:
            seen.append("closed")

    async def main():
        coroutine = around(app, times=2)(make_scope(), no_receive, Sent())
        coroutine.send(None)
        coroutine.close()

    asyncio.run(main())
    assert seen == ["closed"]


# What the event loop's task asks of a future, and no more: servers have such


class Future:
    def __init__(self):
        self.callback, self.error, self._asyncio_future_blocking = None, None, True

    def __await__(self):
        yield self

    def get_loop(self):
        return asyncio.get_running_loop()

    def add_done_callback(self, callback, *, context=None):
        assert self.callback is None
        self.callback, self.context = callback, context

    def cancel(self, msg=None):
        self.finish(asyncio.CancelledError(msg))
        return True

    def result(self):
        if self.error is not None:
            raise self.error

    def finish(self, error=None):
        self.error = error
        self.get_loop().call_soon(self.callback, self, context=self.context)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("error", [None, ValueError("of the future")])
def test_a_future_that_is_not_asyncios_is_waited_for(times, error):
    async def app(scope, receive, send):
        async def produce():
            await asyncio.sleep(0)
            await send(START)
            future.finish(error)

        future = Future()
        task = asyncio.ensure_future(produce())
        with contextlib.nullcontext() if error is None else pytest.raises(ValueError, match="of the future"):
            await future
        await task
        await send(chunk(b"done", more=False))

    for dispatch in (noop, joined, waits):
        assert ask(around(app, dispatch, times)).body == b"done"


@pytest.mark.parametrize("times", [1, 3])
def test_the_cancellation_of_one_arrives(times):
    seen = []

    async def app(scope, receive, send):
        try:
            await Future()
        except asyncio.CancelledError as error:
            seen.append(error.args)
            raise

    assert cancelled_while(app, times=times).cancelled()
    assert seen == [("enough",)]


# Tasks of the application


async def sends_from_tasks(scope, receive, send):
    async def produce():
        await send(START)
        for number in range(3):
            await asyncio.sleep(0)
            await send(chunk(b"%d" % number))

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
    await send(chunk(b"!", more=False))


async def joined(request, call_next):
    response = await call_next(request)
    return PlainTextResponse(b"".join([part async for part in response.body_iterator]))


async def waits(request, call_next):
    response = await call_next(request)
    for _ in range(5):
        await asyncio.sleep(0)
    return response


@pytest.mark.parametrize("outer", [noop, joined, waits])
@pytest.mark.parametrize("inner", [noop, joined, waits])
def test_an_application_may_send_from_tasks_of_its_own(outer, inner):
    app = around(around(around(sends_from_tasks, inner), noop), outer)
    assert ask(app).body == b"012!"


def test_an_application_may_send_from_several_tasks_at_once():
    async def app(scope, receive, send):
        await send(START)
        async with asyncio.TaskGroup() as group:
            for letter in (b"a", b"b", b"c"):
                group.create_task(send_one(letter, send))
        await send(chunk(b"", more=False))

    async def send_one(letter, send):
        await send(chunk(letter))

    for dispatch in (noop, joined):
        assert ask(around(app, dispatch, times=2)).body == b"abc"


def test_a_task_that_sends_is_told_when_its_response_is_not_wanted():
    seen = []

    async def app(scope, receive, send):
        async def produce():
            await send(START)
            try:
                while True:
                    await send(chunk(b"x"))
            except OSError as error:
                seen.append(type(error))
                raise

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())

    async def other(request, call_next):
        await call_next(request)
        return PlainTextResponse("other")

    async def fails(request, call_next):
        await call_next(request)
        raise KeyError

    assert ask(around(app, other)).body == b"other"
    assert seen == [ClientDisconnected]
    with pytest.raises(KeyError):
        ask(around(app, fails))


def test_the_failure_of_a_task_of_the_application_ends_the_response():
    async def app(scope, receive, send):
        async def fails():
            await asyncio.sleep(0)
            raise ValueError("task")

        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            await send(START)
            await forever()

    with pytest.raises(ExceptionGroup) as caught:
        ask(around(app, waits))
    assert [type(error) for error in caught.value.exceptions] == [ValueError]


def test_tasks_may_start_eagerly():
    if not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("CPython 3.12")

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        sent = Sent()
        await around(sends_from_tasks, times=2)(make_scope(), no_receive, sent)
        return b"".join(message.get("body", b"") for message in sent)

    assert asyncio.run(main()) == b"012!"


@pytest.mark.parametrize("app", [page(b"page"), sends_from_tasks])
def test_the_function_may_call_the_application_in_another_task(app):
    async def dispatch(request, call_next):
        response, _ = await asyncio.gather(call_next(request), asyncio.sleep(0))
        return response

    assert ask(around(app, dispatch, times=2)).body in (b"page", b"012!")


def test_the_function_may_read_the_body_in_another_task():
    variable.set("before")

    async def app(scope, receive, send):
        token = variable.set("inside")
        await send(START)
        await send(chunk(b"a"))
        await asyncio.sleep(0)
        await send(chunk(b"b", more=False))
        variable.reset(token)

    async def dispatch(request, call_next):
        response = await call_next(request)

        async def read():
            return b"".join([part async for part in response.body_iterator])

        return PlainTextResponse(await asyncio.ensure_future(read()))

    assert ask(around(app, dispatch)).body == b"ab"


def test_what_the_application_sends_after_the_function_has_its_whole_response_goes_on():
    trailers = {"type": "http.response.trailers", "headers": []}

    async def app(scope, receive, send):
        await send({**START, "trailers": True})
        await send(chunk(b"a", more=False))
        await send(trailers)

    async def renamed(request, call_next):
        response = await call_next(request)
        response.body_iterator = (part async for part in response.body_iterator)
        return response

    assert ask(around(app, renamed)).messages[-1] is trailers


@pytest.mark.parametrize("dispatch", [noop, joined])
def test_a_task_that_outlives_the_application_does_not_wait_for_ever_to_send(dispatch):
    async def main():
        tasks = []

        async def app(scope, receive, send):
            async def late():
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await send(chunk(b"late"))

            await page()(scope, receive, send)
            tasks.append(asyncio.ensure_future(late()))

        await around(app, dispatch)(make_scope(), no_receive, Sent())
        await tasks[0]

    asyncio.run(main())


@pytest.mark.parametrize("dispatch", [noop, joined, read_body])
def test_a_request_leaves_no_cycles_for_the_garbage_collector(dispatch):
    app = around(page(), dispatch, times=2)
    ask(app, body=b"body")
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            ask(app, body=b"body")
        assert gc.collect() == 0
    finally:
        gc.enable()
