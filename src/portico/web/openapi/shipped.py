"""The files that the documentation pages load, over HTTP.

They are stored compressed, and sent so to nearly everybody. Their addresses change with their content, so they may be
kept for ever.
"""

import gzip

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.files.encodings import choose
from portico.http.validators import matches
from portico.web.concurrency import run_in_threadpool
from portico.web.exceptions import HTTPException
from portico.web.openapi.bundles import BUNDLES
from portico.web.openapi.docs import ASSETS, FILES
from portico.web.requests import Request
from portico.web.responses import Response

NAMES = {address: name for name, address in BUNDLES.items()}
MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
KEPT = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}


async def asset(request: Request) -> Response:
    """Answer with the file that the path names."""
    return await _answer(request, request.path_params["asset"])


class Unrouted:
    """What answers where no route does: with the pages' files, and as before with anything else.

    Args:
        default: What has answered before.
    """

    def __init__(self, default: ASGIApp) -> None:
        self.default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and f"/{ASSETS}" in scope["path"] and scope["method"] in ("GET", "HEAD"):
            name = scope["path"].rpartition(f"/{ASSETS}")[2]
            if name in NAMES:
                response = await _answer(Request(scope, receive), name)
                await response(scope, receive, send)
                return
        await self.default(scope, receive, send)


async def _answer(request: Request, address: str) -> Response:
    name = NAMES.get(address)
    if name is None:
        raise HTTPException(404)
    tag, ending = address.rsplit(".", 2)[1:]
    headers = dict(KEPT)
    stored, unpack = name, False
    if not (FILES / name).exists():
        stored, headers["vary"] = f"{name}.gz", "accept-encoding"
        unpack = choose(request.headers.get("accept-encoding", "").encode("latin-1"), ("gzip",)) is None
        if not unpack:
            tag, headers["content-encoding"] = f"{tag}-gzip", "gzip"
    headers["etag"] = f'"{tag}"'
    if is_known(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    content = await run_in_threadpool(_read, stored, unpack)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[ending])


def _read(name: str, unpack: bool) -> bytes:
    content = (FILES / name).read_bytes()
    return gzip.decompress(content) if unpack else content


def is_known(request: Request, tag: str) -> bool:
    """Tell whether the client has what the entity tag stands for."""
    condition = request.headers.get("if-none-match")
    return condition is not None and matches(condition.encode("latin-1"), tag.encode("latin-1"), strong=False)
