"""Rows that measure a framework on a server: their columns are pairs, such as "starlette on uvicorn"."""

from functools import partial

from bench.loads import REQUEST, Row, http
from bench.sites import LARGE, SMALL
from bench.sites.typed import BODY, LAST

SITES = {
    "portico.web": "bench.sites.portico_web:app",
    "starlette": "bench.sites.starlette_site:app",
    "bare": "bench.sites.bare:app",
    "fastapi": "bench.sites.fastapi_site:app",
    "litestar": "bench.sites.litestar_site:app",
    "falcon": "bench.sites.falcon_site:app",
    "blacksheep": "bench.sites.blacksheep_site:app",
}
PAIRS = [
    "portico.web on portico",
    "bare on portico",
    "starlette on portico",
    "starlette on uvicorn",
    "portico.web on uvicorn",
    "bare on uvicorn",
]
"""What is measured unless the command line names others; the first is what the others are compared with."""

TYPED_SITES = {
    "portico.web": "bench.sites.typed.portico_web",
    "fastapi": "bench.sites.typed.fastapi_site",
    "litestar": "bench.sites.typed.litestar_site",
    "falcon": "bench.sites.typed.falcon_site",
    "blacksheep": "bench.sites.typed.blacksheep_site",
    "bare": "bench.sites.typed.bare",
}
TYPED_PAIRS = [
    "portico.web on uvicorn",
    "fastapi on uvicorn",
    "litestar on uvicorn",
    "falcon on uvicorn",
    "blacksheep on uvicorn",
    "bare on uvicorn",
    "portico.web on portico",
    "fastapi on portico",
]
"""The same for the rows about what is typed."""

# As a browser sends it: a long boundary, and bytes of every kind.
FORM = r"""
local line = "------WebKitFormBoundary7MA4YWxkTrZu0gWk"
local bytes = {}
math.randomseed(1)
for i = 1, 100000 do bytes[i] = string.char(math.random(0, 255)) end
wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. line:sub(3)
wrk.body = line .. '\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n' ..
    line .. '\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n' ..
    'Content-Type: application/octet-stream\r\n\r\n' .. table.concat(bytes) .. '\r\n' .. line .. '--\r\n'
"""


def site(pair: str, seconds: float, *, path: str, script: str = "") -> float:
    """Return CPU microseconds per request of a framework's site on a server."""
    framework, _, server = pair.partition(" on ")
    return http(server, seconds, app=SITES[framework], script=script, path=path)


def row(path: str, script: str = "", skipped: tuple[str, ...] = ()) -> Row:
    return Row(partial(site, path=path, script=script), REQUEST, skipped)


def typed(pair: str, seconds: float, *, path: str, script: str = "", app: str = "app") -> float:
    """Return CPU microseconds per request of a framework's typed site on a server."""
    framework, _, server = pair.partition(" on ")
    return http(server, seconds, app=f"{TYPED_SITES[framework]}:{app}", script=script, path=path)


def typed_row(path: str, *without: str, script: str = "", app: str = "app") -> Row:
    skipped = tuple(f"{framework} on {server}" for framework in without for server in SERVERS)
    return Row(partial(typed, path=path, script=script, app=app), REQUEST, skipped)


SERVERS = ("portico", "uvicorn", "granian", "hypercorn")
NO_FORMS = tuple(f"bare on {server}" for server in SERVERS)
ROWS = {
    "web plaintext": row("/"),
    "web JSON": row("/json"),
    "web path parameter": row("/items/42"),
    "web 100 KB form": row("/upload", FORM, NO_FORMS),
    "web 10 KB file": row(f"/files/{SMALL}"),
    "web 1 MB file": row(f"/files/{LARGE}"),
}

POST = f"""
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{BODY.decode()}'
"""
TYPED_ROWS = {
    "typed GET": typed_row("/items/42?q=x"),
    "typed body": typed_row("/items", script=POST),
    "typed dependencies": typed_row("/chain?limit=5", "falcon", "bare"),
    "300 routes": typed_row(f"{LAST}?q=x", "bare", app="many"),
}
