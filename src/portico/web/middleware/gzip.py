"""Responses compressed by gzip, for programs that are ported; `CompressionMiddleware` offers better codings as well."""

from collections.abc import Sequence

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.middleware.compression import (
    DEFAULT_EXCLUDED_CONTENT_TYPES,
    CompressingSend,
    CompressionMiddleware,
    Policy,
)
from portico.web.middleware.encoders import encoder_factory

__all__ = ["DEFAULT_EXCLUDED_CONTENT_TYPES", "GZipMiddleware", "GZipResponder"]

THREAD_MINIMUM_SIZE = 128 * 1024


class GZipMiddleware(CompressionMiddleware):
    """Compress responses by gzip if the client accepts it.

    Args:
        app: The application inside.
        minimum_size: Bodies of fewer bytes stay as they are.
        compresslevel: 1 (fast) to 9 (small).
        thread_minimum_size: Pieces of at least as many bytes are compressed in the thread pool.
        exclude_content_types: Media types that stay as they are; `audio/*` stands for all of a kind.
    """

    def __init__(
        self,
        app: ASGIApp,
        minimum_size: int = 500,
        compresslevel: int = 9,
        thread_minimum_size: int = THREAD_MINIMUM_SIZE,
        *,
        exclude_content_types: Sequence[str] = DEFAULT_EXCLUDED_CONTENT_TYPES,
    ) -> None:
        super().__init__(
            app,
            minimum_size,
            encodings=("gzip",),
            levels={"gzip": compresslevel},
            thread_minimum_size=thread_minimum_size,
            exclude_content_types=exclude_content_types,
        )


class GZipResponder:
    """An application that compresses the responses of another, whether or not the client asks for it."""

    def __init__(
        self,
        app: ASGIApp,
        minimum_size: int,
        compresslevel: int = 9,
        *,
        thread_minimum_size: int = THREAD_MINIMUM_SIZE,
        exclude_content_types: Sequence[str] = DEFAULT_EXCLUDED_CONTENT_TYPES,
    ) -> None:
        self.app = app
        self.policy = Policy(minimum_size, thread_minimum_size, exclude_content_types)
        self.factory = encoder_factory("gzip", compresslevel)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = scope.get("method") == "HEAD"
        await self.app(scope, receive, CompressingSend(self.policy, "gzip", self.factory, send, head=head))
