"""JSON by other packages, for programs that ask for it. JSONResponse is as fast; both will go away."""

import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from portico.web.background import BackgroundTask
from portico.web.exceptions import PorticoDeprecationWarning
from portico.web.responses.data import JSONResponse


class _EngineResponse(JSONResponse):
    package: str

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        name = type(self).__name__
        warnings.warn(
            f"{name} is deprecated and will be removed in a future version: JSONResponse, and endpoints with a return "
            "type, write JSON as fast without another package",
            PorticoDeprecationWarning,
            stacklevel=2,
        )
        super().__init__(content, status_code, headers, media_type, background)

    def engine(self) -> Any:
        """Return the package's module."""
        try:
            return import_module(self.package)
        except ImportError as error:
            name = type(self).__name__
            raise ImportError(f"{name} needs the package {self.package}: pip install {self.package}") from error


class ORJSONResponse(_EngineResponse):
    """A value as JSON, by orjson; keys may be other than text, values may be of numpy. Deprecated."""

    package = "orjson"

    def render(self, content: Any) -> bytes:
        """Return the content as JSON."""
        orjson = self.engine()
        encoded: bytes = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
        return encoded


class UJSONResponse(_EngineResponse):
    """A value as JSON, by ujson. Deprecated."""

    package = "ujson"

    def render(self, content: Any) -> bytes:
        """Return the content as JSON."""
        text: str = self.engine().dumps(content, ensure_ascii=False)
        return text.encode()
