"""One server for the suites of RFC 9113, each of whose tests runs in clear text and over TLS."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.certificates import local, trusting
from tests.live import live
from tests.peer import Peer, Site


@pytest.fixture(scope="module", params=["cleartext", "tls"])
def http2(request: pytest.FixtureRequest) -> Iterator[Peer]:
    secure = request.param == "tls"
    site = Site()
    settings = local().settings if secure else {}
    with live(site, **settings) as server:
        yield Peer(server, site, trusting(alpn=["h2"]) if secure else None)


@pytest.fixture
def peer(http2: Peer) -> Peer:
    # A task that the test before has left is run first: before Python 3.12 it starts one turn of the loop late.
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), http2.server.loop).result(5)
    http2.site.calls.clear()
    return http2
