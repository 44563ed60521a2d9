import asyncio
import gzip
import sys
import threading
import zlib

import brotli
import pytest
import zstandard
from tests.web.middleware.exchange import ask, page

from portico.asgi import MessageError
from portico.web.middleware import compression, encoders
from portico.web.middleware.compression import CompressionMiddleware
from portico.web.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware, GZipResponder

TEXT = b"all work and no play " * 100
PLAIN = {"content-type": "text/plain", "content-length": str(len(TEXT))}
DECODE = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def accepting(app, coding="gzip", method="GET", **more):
    return ask(app, method, headers={"accept-encoding": coding}, **more)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_body_comes_in_the_coding_that_was_asked_for(coding):
    answer = accepting(CompressionMiddleware(page(TEXT, PLAIN)), coding)
    assert DECODE[coding](answer.body) == TEXT
    assert answer.get("content-encoding") == coding
    assert answer.get("content-length") == str(len(answer.body))
    assert answer.get("vary") == "Accept-Encoding"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_each_piece_of_a_stream_can_be_read_when_it_comes(coding):
    pieces = [b"first", b"", b"second", b""]
    answer = accepting(CompressionMiddleware(page(pieces)), coding)
    decoder = {
        "gzip": lambda: zlib.decompressobj(31).decompress,
        "br": lambda: brotli.Decompressor().process,
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
    }[coding]()
    bodies = [message["body"] for message in answer.messages[1:]]
    assert [decoder(body) for body in bodies] == pieces
    assert [message.get("more_body") for message in answer.messages[1:]] == [True, True, True, False]
    assert "content-length" not in answer


def test_the_servers_order_decides_among_equals():
    app = CompressionMiddleware(page(TEXT), encodings=["gzip", "br"])
    assert accepting(app, "br, gzip").get("content-encoding") == "gzip"


def test_a_small_body_stays_as_it_is():
    for app in (
        page(b"x" * 499),
        page(b"x" * 499, {"content-length": "499"}),
        page([b"x", b""], {"content-length": "1"}),
    ):
        answer = accepting(CompressionMiddleware(app))
        assert "content-encoding" not in answer
        assert "vary" not in answer


def test_a_small_body_of_known_length_is_not_held_back():
    app = page(b"x", {"content-length": "1"})
    order = []

    async def noting(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        order.append("start was sent")
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message):
        order.append(message["type"])

    scope = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    asyncio.run(CompressionMiddleware(noting)(scope, None, send))
    assert order == ["http.response.start", "start was sent", "http.response.body"]
    assert accepting(CompressionMiddleware(app)).body == b"x"


def test_a_client_that_refuses_plain_content_gets_small_bodies_and_pictures_compressed():
    app = CompressionMiddleware(page(b"tiny", {"content-type": "image/png", "content-length": "4"}))
    answer = accepting(app, "gzip, identity;q=0")
    assert gzip.decompress(answer.body) == b"tiny"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-encoding": "br"},
        {"content-encoding": "identity"},
        {"cache-control": "public, No-Transform"},
        {"content-type": "image/png"},
        {"content-type": "video/mp4"},
        {"content-type": "Font/WOFF2; x=y"},
        {"content-type": "application/zip"},
        {"content-type": "text/event-stream"},
        {"content-digest": "sha-256=:AAAA:"},
    ],
)
@pytest.mark.parametrize("accept", ["gzip", "identity"])
def test_what_must_not_be_compressed_stays_as_it_is(headers, accept):
    answer = accepting(CompressionMiddleware(page(TEXT, headers)), accept)
    assert answer.body == TEXT
    assert "vary" not in answer
    assert answer.get("content-encoding") == headers.get("content-encoding")


@pytest.mark.parametrize("status", [204, 206, 304])
def test_a_response_without_or_with_part_of_the_content_stays_as_it_is(status):
    answer = accepting(CompressionMiddleware(page(TEXT, {"etag": '"a"'}, status)))
    assert answer.body == TEXT
    assert answer.fields == [(b"etag", b'"a"')]


def test_a_strong_etag_becomes_weak_and_ranges_are_no_longer_offered():
    answer = accepting(CompressionMiddleware(page(TEXT, {"etag": '"a"', "accept-ranges": "bytes"})))
    assert answer.get("etag") == 'W/"a"'
    assert "accept-ranges" not in answer
    assert accepting(CompressionMiddleware(page(TEXT, {"etag": 'W/"a"'}))).get("etag") == 'W/"a"'


def test_a_plain_answer_of_what_others_get_compressed_says_vary():
    answer = accepting(CompressionMiddleware(page(TEXT, {"vary": "Cookie", "etag": '"a"'})), "identity")
    assert answer.body == TEXT
    assert answer.get("vary") == "Cookie, Accept-Encoding"
    assert answer.get("etag") == '"a"'


@pytest.mark.parametrize("bodies", [TEXT, b"", [TEXT, TEXT]])
def test_head_gets_the_fields_of_get_but_for_the_length(bodies):
    headers = {**PLAIN, "etag": '"a"'}
    answer = accepting(CompressionMiddleware(page(bodies, headers)), method="HEAD")
    assert answer.body == b""
    assert answer.get("content-encoding") == "gzip"
    assert answer.get("etag") == 'W/"a"'
    assert "content-length" not in answer


def test_head_of_a_small_body_stays_as_it_is():
    for headers in ({"content-length": "2"}, {}):
        answer = accepting(CompressionMiddleware(page(b"", headers)), method="HEAD")
        assert answer.get("content-length") == headers.get("content-length")
        assert "content-encoding" not in answer


def test_large_pieces_are_compressed_in_a_thread(monkeypatch):
    threads = []
    plain = encoders.GzipEncoder.encode

    def encode(self, data, last):
        threads.append((len(data), threading.current_thread() is threading.main_thread()))
        return plain(self, data, last)

    monkeypatch.setattr(encoders.GzipEncoder, "encode", encode)
    app = CompressionMiddleware(page([b"a" * 40_000, b"b" * 100, b"c" * 32_768, b"d"]))
    assert gzip.decompress(accepting(app).body) == b"a" * 40_000 + b"b" * 100 + b"c" * 32_768 + b"d"
    assert threads == [(40_000, False), (100, True), (32_768, False), (1, True)]


def file_app(path, headers):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": str(path)})

    return app


@pytest.mark.parametrize("size", [0, 600, 256 * 1024, 600_000])
def test_a_file_that_the_server_was_to_send_is_compressed_in_pieces(tmp_path, size):
    path = tmp_path / "file.txt"
    path.write_bytes(b"abcdefgh" * (size // 8))
    answer = accepting(CompressionMiddleware(file_app(path, [(b"content-type", b"text/css")])))
    assert gzip.decompress(answer.body) == path.read_bytes()
    assert answer.get("content-encoding") == "gzip"
    assert len(answer.messages) == 2 + size // compression.FILE_PIECE


@pytest.mark.parametrize("headers", [[(b"content-type", b"image/png")], [(b"content-length", b"12")]])
def test_a_file_that_is_not_compressed_is_left_to_the_server(tmp_path, headers):
    answer = accepting(CompressionMiddleware(file_app(tmp_path / "any", headers)))
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.pathsend"]


def test_a_file_sent_by_descriptor_is_left_to_the_server():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.zerocopysend", "file": 3})

    answer = accepting(CompressionMiddleware(app))
    assert answer.messages[1]["type"] == "http.response.zerocopysend"
    assert "content-encoding" not in answer


def test_a_file_in_the_middle_of_a_compressed_body_is_an_error_of_the_application():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": TEXT, "more_body": True})
        await send({"type": "http.response.zerocopysend", "file": 3})

    with pytest.raises(MessageError, match="send one kind"):
        accepting(CompressionMiddleware(app))


def test_trailers_follow_a_compressed_body():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": TEXT})
        await send({"type": "http.response.trailers", "headers": [(b"a", b"b")]})

    answer = accepting(CompressionMiddleware(app))
    assert gzip.decompress(answer.body) == TEXT
    assert "content-length" not in answer
    assert answer.messages[-1]["type"] == "http.response.trailers"


def test_an_error_before_the_first_piece_leaves_the_response_unstarted():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent = []

    async def send(message):
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(CompressionMiddleware(app)({"type": "http", "headers": [(b"accept-encoding", b"br")]}, None, send))
    assert sent == []


def test_constant_messages_of_the_application_are_left_alone():
    app = CompressionMiddleware(page(TEXT, PLAIN))
    first, second = accepting(app), accepting(app)
    assert first.fields == second.fields
    assert gzip.decompress(second.body) == TEXT
    assert ask(app).body == TEXT


@pytest.mark.parametrize(
    "options", [{"encodings": ["lzma"]}, {"encodings": []}, {"levels": {"zstd": 22}}, {"levels": {"x": 1}}]
)
def test_a_coding_or_level_that_does_not_exist_is_refused_at_once(options):
    with pytest.raises(ValueError):
        CompressionMiddleware(page(), **options)


@pytest.mark.parametrize(("coding", "package"), [("br", "brotli"), ("zstd", "zstandard")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, coding, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(ImportError, match=rf"{package}.*pip install 'portico\[compression\]'"):
        CompressionMiddleware(page(), encodings=[coding])


def test_gzip_respects_a_weight_of_zero():
    assert "content-encoding" not in accepting(GZipMiddleware(page(TEXT)), "gzip;q=0, br")


def test_the_gzip_responder_compresses_unasked():
    assert gzip.decompress(ask(GZipResponder(page(TEXT), 500)).body) == TEXT


def test_the_gzip_defaults_leave_events_alone():
    assert "text/event-stream" in DEFAULT_EXCLUDED_CONTENT_TYPES


def test_other_protocols_pass_with_their_own_send():
    seen = []

    async def app(scope, receive, send):
        seen.append(send)

    send = object()
    asyncio.run(CompressionMiddleware(app)({"type": "lifespan"}, None, send))
    assert seen == [send]


def test_what_is_kept_of_types_is_bounded():
    app = CompressionMiddleware(page())
    for number in range(compression.MAX_KNOWN_TYPES + 10):
        assert app.policy.excludes(b"image/png; n=%d" % number)
    assert len(app.policy.known_types) == compression.MAX_KNOWN_TYPES


def test_grpc_of_any_format_stays_as_it_is():
    assert "content-encoding" not in accepting(
        CompressionMiddleware(page(TEXT, {"content-type": "application/grpc+x"}))
    )


def test_a_file_that_is_gone_leaves_the_response_unstarted(tmp_path):
    sent = []

    async def send(message):
        sent.append(message)

    app = CompressionMiddleware(file_app(tmp_path / "gone", []))
    with pytest.raises(FileNotFoundError):
        asyncio.run(app({"type": "http", "headers": [(b"accept-encoding", b"gzip")]}, None, send))
    assert sent == []


def test_head_of_a_file_does_not_read_it(tmp_path):
    answer = accepting(CompressionMiddleware(file_app(tmp_path / "gone", [(b"content-length", b"999")])), method="HEAD")
    assert (answer.get("content-encoding"), answer.body) == ("gzip", b"")
