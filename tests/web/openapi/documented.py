"""Applications whose documentation a real browser opens: as it comes, and where no foreign or inline script may run."""

from typing import Annotated

from pydantic import BaseModel

from portico.web import Depends, Portico
from portico.web.requests import Request
from portico.web.responses import HTMLResponse
from portico.web.security import OAuth2AuthorizationCodeBearer

app = Portico(title="Parrots", description="Which **parrots** are there?")
scheme = OAuth2AuthorizationCodeBearer(authorizationUrl="/authorize", tokenUrl="/token")


class Parrot(BaseModel):
    """A bird."""

    name: str
    age: int | None = None


@app.get("/parrots/{name}")
async def read_parrot(name: str, age: int = 3) -> Parrot:
    """Return the parrot with the name."""
    return Parrot(name=name, age=age)


@app.post("/parrots", status_code=201)
async def add_parrot(parrot: Parrot) -> Parrot:
    """Take in a parrot."""
    return parrot


@app.get("/secret")
async def read_secret(token: Annotated[str, Depends(scheme)]) -> str:
    """Tell the secret."""
    return token


# The strictest policy that is common: nothing from elsewhere, no script or style in the page itself.
strict = Portico(title="Strict", swagger_ui_init_oauth={"clientId": "O'Reilly & <sons>"})
strict.mount("/birds", app)
strict.add_api_route("/parrots/{name}", read_parrot)


@strict.middleware("http")
async def add_policy(request: Request, call_next: object) -> HTMLResponse:
    response: HTMLResponse = await call_next(request)  # type: ignore[operator]
    response.headers["content-security-policy"] = "default-src 'self'"
    return response
