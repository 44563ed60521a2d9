"""The site on Falcon."""

from typing import Any

from falcon import MEDIA_TEXT
from falcon.asgi import App

from bench.sites import FILES, MESSAGE, TEXT


class Plaintext:
    async def on_get(self, req: Any, resp: Any, **params: Any) -> None:
        resp.content_type = MEDIA_TEXT
        resp.text = TEXT


class Message:
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.media = MESSAGE


class Item:
    async def on_get(self, req: Any, resp: Any, id: int) -> None:
        resp.media = {"id": id}


class Upload:
    async def on_post(self, req: Any, resp: Any) -> None:
        async for part in await req.get_media():
            if part.name == "file":
                resp.content_type = MEDIA_TEXT
                resp.text = str(len(await part.get_data()))


def site() -> Any:
    made = App()
    made.add_route("/", Plaintext())
    made.add_route("/json", Message())
    made.add_route("/items/{id:int}", Item())
    made.add_route("/upload", Upload())
    made.add_static_route("/files", FILES.resolve())
    return made


def routed(count: int) -> Any:
    many = App()
    for number in range(count):
        many.add_route(f"/section/page-{number}", Plaintext())
        many.add_route(f"/shop-{number}/items/{{id:int}}", Plaintext())
    return many


app = site()
