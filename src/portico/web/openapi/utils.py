"""The place where programs import `get_openapi` from."""

from portico.web.openapi.document import get_openapi

__all__ = ["get_openapi"]
