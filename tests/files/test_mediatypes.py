"""Media types by name."""

import subprocess
import sys

import pytest

from portico.files.mediatypes import field_of, guess_media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.js", "text/javascript"),
        ("a.mjs", "text/javascript"),
        ("A.JS", "text/javascript"),
        ("a.wasm", "application/wasm"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.woff2", "font/woff2"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.js.map", "application/json"),
        ("a.md", "text/markdown"),
        ("a.svg", "image/svg+xml"),
        ("a.tar.gz", "application/gzip"),
        ("/dir.js/name", "application/octet-stream"),
        (".html", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("a.nobody-has-this", "application/octet-stream"),
    ],
)
def test_the_extension_decides(name: str, expected: str) -> None:
    assert guess_media_type(name) == expected


def test_texts_are_utf_8() -> None:
    assert field_of("text/css") == b"text/css; charset=utf-8"
    assert field_of("text/css; Charset=latin-1") == b"text/css; Charset=latin-1"
    assert field_of("image/png") == b"image/png"


def test_the_machines_list_is_read_only_when_it_is_needed() -> None:
    code = "import sys, portico.web.responses as r; r.FileResponse('a.css'); assert 'mimetypes' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
