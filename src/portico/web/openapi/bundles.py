"""The addresses of the documentation pages' files, below `docs.ASSETS`. Made by `docs/refresh_ui.py`."""

# By name in `assets/`; those of others are compressed there. The last part but one changes with the content.
BUNDLES = {
    "swagger-ui-bundle.js": "swagger-ui-dist@5.33.1/swagger-ui-bundle.050bc415ee70.js",
    "swagger-ui.css": "swagger-ui-dist@5.33.1/swagger-ui.0166677e7112.css",
    "redoc.standalone.js": "redoc@2.5.4/redoc.standalone.f8eb4fc7a77c.js",
    "start.js": "start.f969cf89baf8.js",
    "oauth2-redirect.js": "oauth2-redirect.751548f1e51f.js",
    "favicon.svg": "favicon.040cbf391b3c.svg",
}
