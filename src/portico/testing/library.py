"""The HTTP client library that the test clients extend: httpx2 where it is installed, else httpx."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
else:
    try:
        import httpx2 as httpx
    except ImportError:
        try:
            import httpx
        except ImportError:
            raise ImportError(
                "the test clients need an HTTP client library, httpx: pip install 'portico[testclient]'"
            ) from None

__all__ = ["httpx"]
