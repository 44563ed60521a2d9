"""HTML from Jinja2 templates, with `url_for` in them."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

from portico.asgi import Receive, Scope, Send
from portico.web.background import BackgroundTask
from portico.web.datastructures import URL
from portico.web.requests import Request
from portico.web.responses import HTMLResponse

try:
    import jinja2
except ModuleNotFoundError as error:
    raise ImportError("templates need Jinja2: pip install 'portico[templates]'") from error

if TYPE_CHECKING:
    from jinja2.runtime import Context

ContextProcessor = Callable[[Request], dict[str, Any]]

TEMPLATE_SUFFIXES = (".j2", ".jinja", ".jinja2")
MARKUP_SUFFIXES = ("html", "htm", "xhtml", "xml", "svg")


def is_markup(name: str | None) -> bool:
    """Tell whether a template's values are escaped: in markup by its name, and where its extension says nothing."""
    if name is None:
        return True
    for suffix in TEMPLATE_SUFFIXES:
        name = name.removesuffix(suffix)
    _, dot, extension = name.rpartition("/")[2].rpartition(".")
    return not dot or extension.lower() in MARKUP_SUFFIXES


class _TemplateResponse(HTMLResponse):
    """A rendered template; a test client gets `template` and `context` along with the answer."""

    def __init__(
        self,
        template: jinja2.Template,
        context: dict[str, Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self.template = template
        self.context = context
        super().__init__(template.render(context), status_code, headers, media_type, background)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "http.response.debug" in (scope.get("extensions") or ()):
            await send({"type": "http.response.debug", "info": {"template": self.template, "context": self.context}})
        await super().__call__(scope, receive, send)


class Jinja2Templates:
    """Templates of a directory, of several, or of a Jinja2 environment of one's own.

    Args:
        directory: Where the templates are; the first that has a name wins.
        context_processors: What adds variables to every template: functions of the request that return a dict.
        env: An environment to use as it is, instead of a directory. It decides itself what is escaped.
    """

    @overload
    def __init__(
        self,
        directory: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        context_processors: list[ContextProcessor] | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self, *, env: jinja2.Environment, context_processors: list[ContextProcessor] | None = None
    ) -> None: ...

    def __init__(
        self,
        directory: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
        *,
        context_processors: list[ContextProcessor] | None = None,
        env: jinja2.Environment | None = None,
    ) -> None:
        assert bool(directory) ^ bool(env), "either 'directory' or 'env' arguments must be passed"
        self.context_processors = context_processors or []
        if env is None:
            assert directory is not None
            env = jinja2.Environment(loader=jinja2.FileSystemLoader(directory), autoescape=is_markup)
        self.env = env
        self._setup_env_defaults(env)

    def _setup_env_defaults(self, env: jinja2.Environment) -> None:
        env.globals.setdefault("url_for", _url_for)

    def get_template(self, name: str) -> jinja2.Template:
        """Return a template by its name."""
        return self.env.get_template(name)

    def TemplateResponse(
        self,
        request: Request,
        name: str,
        context: dict[str, Any] | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> _TemplateResponse:
        """Render a template into a response.

        Args:
            request: The request, which the template sees as `request`.
            name: The template's name.
            context: The template's variables; what the context processors return goes over them.
            status_code: The status of the response.
            headers: More fields for the response.
            media_type: Its media type; `text/html` by default.
            background: What to run after it has been sent.
        """
        variables = {"request": request, **(context or {})}
        for processor in self.context_processors:
            variables.update(processor(request))
        return _TemplateResponse(self.get_template(name), variables, status_code, headers, media_type, background)


@jinja2.pass_context
def _url_for(context: "Context", name: str, /, **path_params: Any) -> URL:
    request: Request = context["request"]
    return request.url_for(name, **path_params)
