"""A real `portico run` with TLS and a certificate for this machine, which `authority().file` lets clients check."""

from contextlib import AbstractContextManager
from typing import Any

from tests.certificates import local
from tests.served import Served, served

SITE = "tests.clients.site:app"


def secured(app: str = SITE, *options: str, **more: Any) -> AbstractContextManager[Served]:
    """Serve `app` over TLS until the block is left; see `served`."""
    return served(app, "--ssl-certfile", local().certfile, "--ssl-keyfile", local().keyfile, *options, **more)
