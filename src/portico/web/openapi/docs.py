"""The pages that show the document: Swagger UI, ReDoc, and where a login of Swagger UI comes back to.

Without other URLs they load what the package ships (`pages` serves it), so that they work where there is no other host.
Everything that comes from a program is escaped, for HTML where it is HTML and for a script where it is one.
"""

import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from portico.web.encoders import jsonable_encoder
from portico.web.openapi.bundles import BUNDLES
from portico.web.responses import HTMLResponse

__all__ = [
    "ASSETS",
    "FILES",
    "get_redoc_html",
    "get_swagger_ui_html",
    "get_swagger_ui_oauth2_redirect_html",
    "swagger_ui_default_parameters",
]

FILES = Path(__file__).with_name("assets")
ASSETS = "docs-assets/"  # below the directory of the document
SWAGGER_JS = ASSETS + BUNDLES["swagger-ui-bundle.js"]
SWAGGER_CSS = ASSETS + BUNDLES["swagger-ui.css"]
REDOC_JS = ASSETS + BUNDLES["redoc.standalone.js"]
FAVICON = ASSETS + BUNDLES["favicon.svg"]
START = ASSETS + BUNDLES["start.js"]
REDIRECT = ASSETS + BUNDLES["oauth2-redirect.js"]
SHIPPED = frozenset((SWAGGER_JS, SWAGGER_CSS, REDOC_JS, FAVICON, START, REDIRECT))

FONTS = "https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700"
IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})

swagger_ui_default_parameters: dict[str, Any] = {
    "dom_id": "#swagger-ui",
    "layout": "BaseLayout",
    "deepLinking": True,
    "showExtensions": True,
    "showCommonExtensions": True,
}


def get_swagger_ui_html(
    *,
    openapi_url: str,
    title: str,
    swagger_js_url: str = SWAGGER_JS,
    swagger_css_url: str = SWAGGER_CSS,
    swagger_favicon_url: str = FAVICON,
    oauth2_redirect_url: str | None = None,
    init_oauth: dict[str, Any] | None = None,
    swagger_ui_parameters: dict[str, Any] | None = None,
) -> HTMLResponse:
    """Return the page of Swagger UI, in which requests can be tried out.

    Args:
        openapi_url: Where the document is.
        title: The page's title.
        swagger_js_url: The script of Swagger UI; by default the shipped one, which an application serves beside its
            document.
        swagger_css_url: The style of Swagger UI.
        swagger_favicon_url: The page's icon.
        oauth2_redirect_url: The path that a login comes back to, if there may be one.
        init_oauth: What `initOAuth` of Swagger UI is called with.
        swagger_ui_parameters: Settings of Swagger UI, over those of `swagger_ui_default_parameters`.
    """
    settings = {"url": openapi_url, **swagger_ui_default_parameters, **(swagger_ui_parameters or {})}
    lines = [f"{_in_script(key)}: {_in_script(value)}," for key, value in settings.items()]
    if oauth2_redirect_url:
        lines.append(f"oauth2RedirectUrl: window.location.origin + {_in_single_quotes(oauth2_redirect_url)},")
    lines += ["presets: [", "SwaggerUIBundle.presets.apis,", "SwaggerUIBundle.SwaggerUIStandalonePreset", "],"]
    script = "\n".join(("const ui = SwaggerUIBundle({", *lines, "})"))
    if init_oauth:
        script += f"\nui.initOAuth({_in_script(init_oauth)})"
    if swagger_js_url == SWAGGER_JS:
        # The same text, to be read and not to be run: see assets/start.js.
        kind = ' type="text/plain" id="swagger-ui-settings"'
        start = f'\n<script src="{_url(START, openapi_url)}"></script>'
    else:
        kind = start = ""
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="stylesheet" href="{_url(swagger_css_url, openapi_url)}">
<link rel="shortcut icon" href="{_url(swagger_favicon_url, openapi_url)}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{_url(swagger_js_url, openapi_url)}"></script>
<script{kind}>
{script}
</script>{start}
</body>
</html>
""")


def get_redoc_html(
    *,
    openapi_url: str,
    title: str,
    redoc_js_url: str = REDOC_JS,
    redoc_favicon_url: str = FAVICON,
    with_google_fonts: bool = True,
) -> HTMLResponse:
    """Return the page of ReDoc.

    Args:
        openapi_url: Where the document is.
        title: The page's title.
        redoc_js_url: The script of ReDoc; by default the shipped one, which an application serves beside its document.
        redoc_favicon_url: The page's icon.
        with_google_fonts: Whether the page loads its fonts from Google's servers. The page that an application has by
            itself does not.
    """
    fonts = f'\n<link rel="stylesheet" href="{escape(FONTS)}">' if with_google_fonts else ""
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>{fonts}
<link rel="shortcut icon" href="{_url(redoc_favicon_url, openapi_url)}">
<style>body {{ margin: 0; padding: 0; }}</style>
</head>
<body>
<noscript>This page needs JavaScript.</noscript>
<redoc spec-url="{escape(openapi_url)}"></redoc>
<script src="{_url(redoc_js_url, openapi_url)}"></script>
</body>
</html>
""")


def get_swagger_ui_oauth2_redirect_html(*, script_url: str | None = None) -> HTMLResponse:
    """Return the page that a login of Swagger UI comes back to.

    Args:
        script_url: Where its script is, which is in the page itself by default. The page that an application has by
            itself names one, since an application may forbid scripts within pages.
    """
    script = f"\n{_redirect_script()}" if script_url is None else ""
    src = "" if script_url is None else f' src="{escape(script_url)}"'
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Swagger UI: OAuth2 redirect</title>
</head>
<body>
<!-- Tells window.opener.swaggerUIRedirectOauth2, which the page that began the login has set, how it went. -->
<script{src}>{script}</script>
</body>
</html>
""")


def beside(openapi_url: str, address: str) -> str:
    """Return the URL of something that is served beside the document."""
    return openapi_url.partition("?")[0].rpartition("/")[0] + "/" + address if "/" in openapi_url else address


def _url(url: str, openapi_url: str) -> str:
    """Return a URL as an attribute has it; that of a shipped file with the directory that it is served in."""
    return escape(beside(openapi_url, url) if url in SHIPPED else url)


def _in_script(value: Any) -> str:
    """Return a value as JSON that cannot end the script that it stands in."""
    return json.dumps(jsonable_encoder(value)).translate(IN_SCRIPT)


def _in_single_quotes(text: str) -> str:
    return "'" + _in_script(text)[1:-1].replace("'", "\\u0027") + "'"


@cache
def _redirect_script() -> str:
    return (FILES / "oauth2-redirect.js").read_text("utf-8")
