"""The typed site on Falcon, which has no models and no dependencies of its own."""

from typing import Any

from falcon.asgi import App

from bench.sites.typed import MANY, Item


class One:
    async def on_get(self, req: Any, resp: Any, id: int) -> None:
        resp.media = {"id": id, "q": req.get_param("q")}


class All:
    async def on_post(self, req: Any, resp: Any) -> None:
        item = Item.model_validate_json(await req.stream.read())
        resp.content_type = "application/json"
        resp.data = item.model_dump_json().encode()


app, many = App(), App()
app.add_route("/items/{id:int}", One())
app.add_route("/items", All())
for number in range(MANY):
    many.add_route(f"/shop-{number}/items/{{id:int}}", One())
