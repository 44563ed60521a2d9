"""A small typed site in the words of each framework: `/items/42?q=x`, a model that comes and goes back, dependencies.

Every module has `app`, the site, and `many`: an application with as many routes as MANY, of which the bench asks for
the last.
"""

from pydantic import BaseModel

MANY = 300
LAST = f"/shop-{MANY - 1}/items/42"


class Item(BaseModel):
    """What a client posts."""

    name: str
    price: float
    description: str | None = None
    tags: list[str] = []


BODY = b'{"name": "Kettle", "price": 24.5, "description": "For tea", "tags": ["kitchen", "steel"]}'
