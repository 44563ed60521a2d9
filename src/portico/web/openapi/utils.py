"""The place where programs import `get_openapi` from, and the schemas of the answer to a request that does not fit.

A program with an answer of its own may change these in place, as FastAPI's users do.
"""

from portico.web.openapi.document import get_openapi
from portico.web.openapi.errors import validation_error_definition, validation_error_response_definition

__all__ = ["get_openapi", "validation_error_definition", "validation_error_response_definition"]
