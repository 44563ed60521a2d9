import asyncio
import gzip
import random
import zlib

import brotli
import pytest
import zstandard
from tests.web.middleware.exchange import ask, echo, make_scope

from portico.web.exceptions import HTTPException
from portico.web.middleware import decoders
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.middleware.decompression import FREE_SIZE, PIECE_SIZE, RequestDecompressionMiddleware

TEXT = bytes(range(256)) * 40 + b"the end"


def raw_deflate(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODE = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstandard.ZstdCompressor().compress,
}
CODINGS = sorted(ENCODE)


def sending(body, coding, **options):
    app = RequestDecompressionMiddleware(echo, **options)
    return ask(app, "POST", headers={"content-encoding": coding}, body=body)


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))] + [b""]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("split", [lambda data: data, bytewise, lambda data: [data, b""], lambda data: [b"", data]])
def test_a_body_is_decoded_however_it_comes(coding, split):
    answer = sending(split(ENCODE[coding](TEXT)), coding)
    assert (answer.status, answer.body) == (200, TEXT)


@pytest.mark.parametrize("split", [lambda data: data, bytewise])
def test_deflate_without_its_header_is_read_as_well(split):
    assert sending(split(raw_deflate(TEXT)), "deflate").body == TEXT


@pytest.mark.parametrize("split", [lambda data: data, bytewise])
def test_gzip_may_have_several_members(split):
    assert sending(split(gzip.compress(b"one ") + gzip.compress(b"two")), "gzip").body == b"one two"


@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_body_comes_in_bounded_pieces(coding):
    sizes = []

    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            sizes.append(len(message["body"]))
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    body = ENCODE[coding](bytes(FREE_SIZE))
    ask(RequestDecompressionMiddleware(app), "POST", headers={"content-encoding": coding}, body=body)
    assert sum(sizes) == FREE_SIZE
    assert max(sizes) <= 2 * PIECE_SIZE


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_that_grows_too_much_is_refused_early(coding):
    seen = []

    async def app(scope, receive, send):
        while True:
            seen.append(len((await receive())["body"]))

    body = ENCODE[coding](bytes(20_000_000))
    app = RequestDecompressionMiddleware(app, max_size=50_000_000)
    answer = ask(app, "POST", headers={"content-encoding": coding}, body=body)
    assert (answer.status, answer.body) == (413, b"Content Too Large")
    assert sum(seen) < 10_000_000


def test_a_body_that_is_too_large_is_refused_whatever_its_ratio():
    body = ENCODE["gzip"](TEXT)
    assert sending(body, "gzip", max_size=len(TEXT)).status == 200
    assert sending(body, "gzip", max_size=len(TEXT) - 1).status == 413


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"\xff\xff\xff" + data,
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"more",
        lambda data: data[:1],
    ],
)
@pytest.mark.parametrize("split", [lambda data: data, bytewise])
def test_a_broken_body_is_a_bad_request(coding, damage, split):
    answer = sending(split(damage(ENCODE[coding](TEXT))), coding)
    assert answer.status == 400
    assert b"content-encoding" in answer.body


@pytest.mark.parametrize("coding", ["compress", "gzip, br", "gzip, gzip", "GZIPPED", "\xff"])
def test_a_coding_that_is_not_read_is_refused_with_those_that_are(coding):
    """RFC 9110 section 12.5.3."""
    answer = sending(b"x", coding)
    assert answer.status == 415
    assert answer.get("accept-encoding") == "gzip, deflate, br, zstd"


def test_two_fields_are_two_codings():
    app = RequestDecompressionMiddleware(echo)
    twice = [(b"content-encoding", b"gzip"), (b"content-encoding", b"gzip")]
    assert ask(app, "POST", headers=twice, body=gzip.compress(b"x")).status == 415


def test_the_codings_can_be_chosen():
    assert sending(b"x", "br", encodings=["gzip"]).get("accept-encoding") == "gzip"


@pytest.mark.parametrize("coding", ["identity", "", "Identity"])
def test_a_plain_body_is_left_alone(coding):
    assert sending(b"plain", coding).body == b"plain"


def test_an_empty_body_stays_empty():
    assert sending(b"", "gzip").body == b""


def test_a_request_without_the_field_keeps_its_own_receive():
    seen = []

    async def app(scope, receive, send):
        seen.append(receive)

    receive = object()
    asyncio.run(RequestDecompressionMiddleware(app)(make_scope(), receive, None))
    assert seen == [receive]


def test_the_application_sees_neither_the_coding_nor_the_length():
    seen = []

    async def app(scope, receive, send):
        seen.extend(scope["headers"])
        await echo(scope, receive, send)

    headers = {"content-encoding": "gzip", "content-length": "24", "content-type": "text/plain"}
    ask(RequestDecompressionMiddleware(app), "POST", headers=headers, body=gzip.compress(b"text"))
    assert seen == [(b"content-type", b"text/plain")]


def test_a_disconnect_in_the_middle_is_passed_on():
    seen = []

    async def app(scope, receive, send):
        await receive()
        seen.append(await receive())

    async def scene():
        coded = gzip.compress(TEXT)
        waiting = [{"type": "http.request", "body": coded[:-4], "more_body": True}, {"type": "http.disconnect"}]

        async def receive():
            return waiting.pop(0)

        scope = make_scope("POST", headers={"content-encoding": "gzip"})
        await RequestDecompressionMiddleware(app)(scope, receive, None)

    asyncio.run(scene())
    assert seen == [{"type": "http.disconnect"}]


def test_an_application_that_answers_the_error_itself_is_not_interfered_with():
    async def app(scope, receive, send):
        try:
            await receive()
        except HTTPException as error:
            await send({"type": "http.response.start", "status": error.status_code + 1, "headers": []})
            await send({"type": "http.response.body", "body": b"mine"})

    answer = ask(RequestDecompressionMiddleware(app), headers={"content-encoding": "gzip"}, body=b"not gzip")
    assert (answer.status, answer.body) == (401, b"mine")


def test_a_wrong_option_is_refused_at_once(monkeypatch):
    with pytest.raises(ValueError, match="got 'lzma'"):
        RequestDecompressionMiddleware(echo, encodings=["lzma"])
    with pytest.raises(ValueError, match="max_size"):
        RequestDecompressionMiddleware(echo, max_size=0)
    monkeypatch.setattr(decoders, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'portico\[compression\]'"):
        RequestDecompressionMiddleware(echo, encodings=["br"])


def test_a_zstd_stream_that_wants_a_large_window_is_refused():
    """RFC 9659 section 3."""
    parameters = zstandard.ZstdCompressionParameters(window_log=25)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert sending(stream.compress(TEXT) + stream.flush(), "zstd").status == 400


def test_a_body_that_a_layer_outside_has_read_is_decoded_as_well():
    from portico.web.requests import Request

    inner = RequestDecompressionMiddleware(echo)

    async def outer(scope, receive, send):
        await Request(scope, receive).body()
        await inner(scope, receive, send)

    coded = gzip.compress(TEXT)
    answer = ask(outer, "POST", headers={"content-encoding": "gzip"}, body=[coded[:9], coded[9:]])
    assert answer.body == TEXT


@pytest.mark.parametrize("pieces", [1, 100])
def test_a_body_of_many_empty_gzip_members_is_refused(pieces):
    member = gzip.compress(b"")
    body = [member * (decoders.MAX_GZIP_MEMBERS // pieces) for _ in range(pieces)]
    assert sending(body, "gzip").status == 200
    assert sending([*body, member], "gzip").status == 400


@pytest.mark.parametrize("coding", CODINGS)
def test_a_large_piece_that_does_not_shrink_is_decoded_in_steps(coding):
    body = random.Random(7).randbytes(500_000)
    assert sending(ENCODE[coding](body), coding).body == body


def test_a_response_that_has_started_is_not_answered_again():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    with pytest.raises(HTTPException):
        ask(RequestDecompressionMiddleware(app), headers={"content-encoding": "gzip"}, body=b"not gzip")


def test_an_error_goes_on_for_who_reads_on():
    seen = []

    async def app(scope, receive, send):
        for _ in range(2):
            try:
                await receive()
            except HTTPException as error:
                seen.append(error.status_code)

    ask(RequestDecompressionMiddleware(app), headers={"content-encoding": "gzip"}, body=b"not gzip")
    assert seen == [400, 400]


def test_after_the_body_comes_what_comes():
    seen = []

    async def app(scope, receive, send):
        for _ in range(3):
            seen.append((await receive())["type"])

    ask(RequestDecompressionMiddleware(app), headers={"content-encoding": "gzip"}, body=gzip.compress(b"x"))
    assert seen == ["http.request", "http.request", "http.disconnect"]


def test_a_limit_on_bodies_further_in_counts_what_is_decoded():
    decoding = RequestDecompressionMiddleware(RequestBodyLimitMiddleware(echo, max_body_size=1000))
    app = RequestBodyLimitMiddleware(decoding, max_body_size=100_000)
    for size, status in ((1000, 200), (1001, 413), (50_000, 413)):
        headers = {"content-encoding": "gzip"}
        assert ask(app, "POST", headers=headers, body=gzip.compress(bytes(size))).status == status
