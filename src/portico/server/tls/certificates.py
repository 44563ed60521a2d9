"""The certificates that a server shows, chosen by the name that a client asks for."""

import ssl
from importlib import import_module
from typing import Any

from portico.server.config import Config
from portico.server.settling import ConfigError
from portico.server.tls.contexts import Contexts, make_contexts
from portico.server.tls.files import Files, read_files


class Certificates:
    """The contexts by which new connections are encrypted; those that are there already keep theirs.

    Args:
        config: The settings.
        files: What is in the files that they name; else these are read.
        warns: Whether to log what may not be meant, such as a certificate that has expired.

    Raises:
        ConfigError: with every problem that the files have.
    """

    def __init__(self, config: Config, files: Files | None = None, *, warns: bool = True) -> None:
        self._config = config
        self._warns = warns
        self._contexts = self._make(read_files(config) if files is None else files)

    @property
    def context(self) -> ssl.SSLContext:
        """The default."""
        return self._contexts.default

    @property
    def has_names(self) -> bool:
        """Tell whether there are several, so that it matters which name a client asks for."""
        return bool(self._config.ssl_sni)

    def context_for(self, name: str) -> ssl.SSLContext:
        """Return the context for the server name, in lower case; the default where there is no other."""
        contexts = self._contexts
        found = contexts.exact.get(name)
        if found is None:
            found = contexts.wildcards.get(name.partition(".")[2])
        return contexts.default if found is None else found

    def load(self, files: Files) -> None:
        """Take what is in the files by now; raises ConfigError, and changes nothing, where that is not right."""
        self._contexts = self._make(files)

    def _make(self, files: Files) -> Contexts:
        config = self._config
        if config.ssl_context_factory is None:
            contexts = make_contexts(config, files)
            if self._warns:
                contexts.warn()
            return contexts
        return Contexts(_made_by(config.ssl_context_factory, config, files))


def _made_by(factory: Any, config: Config, files: Files) -> ssl.SSLContext:
    """Return the context that the function of the settings makes."""
    try:
        if isinstance(factory, str):
            module, _, attribute = factory.partition(":")
            factory = getattr(import_module(module), attribute)
        context = factory(config, lambda: make_contexts(config, files).default)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError([f"ssl_context_factory: {type(error).__name__}: {error}"]) from error
    if not isinstance(context, ssl.SSLContext):
        raise ConfigError([f"ssl_context_factory: expected an SSLContext, got {context!r}"])
    return context
