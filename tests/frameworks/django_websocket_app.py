"""Django Channels in one file: routing, groups, JSON, threads, sessions, origins, subprotocols and closes."""

from typing import Any

import django
from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, OriginValidator
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", ".shop.example"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    DEBUG=False,
    INSTALLED_APPS=["channels"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    USE_TZ=True,
)
django.setup()
site = get_asgi_application()


class Room(AsyncWebsocketConsumer):
    """A chat room, as in the tutorial."""

    name: str

    async def connect(self) -> None:
        self.name = "room." + self.scope["url_route"]["kwargs"]["name"]
        await self.channel_layer.group_add(self.name, self.channel_name)
        await self.accept()
        await self.send("welcome")

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.name, self.channel_name)
        await self.channel_layer.group_send(self.name, {"type": "said", "text": f"somebody has left with {code}"})

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send(self.name, {"type": "said", "text": text_data or repr(bytes_data)})

    async def said(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])


class Calculator(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json({"sum": sum(content)})


class Threaded(JsonWebsocketConsumer):
    """A synchronous consumer: each of its methods runs in a thread."""

    groups = ["news"]

    def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.send_json({"got": content})

    def disconnect(self, code: int) -> None:
        print(f"left the thread with {code}", flush=True)

    def told(self, event: dict[str, Any]) -> None:
        self.send_json({"news": event["what"]})


class Raw(WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(text_data, bytes_data)


class Closing(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.close(self.scope["url_route"]["kwargs"]["code"], "the consumer's")

    async def disconnect(self, code: int) -> None:
        print(f"closed by itself, told {code}", flush=True)


class Speaking(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        offered = self.scope["subprotocols"]
        await self.accept(offered[-1] if offered else None, headers=[(b"x-chosen", b"the last")])
        await self.send("spoken")


class Denied(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.close(4003)

    async def disconnect(self, code: int) -> None:
        print(f"denied by itself, told {code}", flush=True)


class Crashing(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        raise RuntimeError("a consumer that fails")


class Remembering(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.send(self.scope["session"].get("name", "nobody"))


async def announce(request: HttpRequest, what: str) -> HttpResponse:
    await get_channel_layer().group_send("news", {"type": "told", "what": what})
    return HttpResponse(what)


def log_in(request: HttpRequest, name: str) -> HttpResponse:
    request.session["name"] = name
    return HttpResponse(f"Hello {name}")


urlpatterns = [path("announce/<str:what>/", announce), path("log-in/<str:name>/", log_in)]
sockets = URLRouter(
    [
        path("room/<str:name>/", Room.as_asgi()),
        path("calculator/", Calculator.as_asgi()),
        path("threaded/", Threaded.as_asgi()),
        path("raw/", Raw.as_asgi()),
        path("closing/<int:code>/", Closing.as_asgi()),
        path("speaking/", Speaking.as_asgi()),
        path("denied/", Denied.as_asgi()),
        path("crashing/", Crashing.as_asgi()),
        path("remembering/", SessionMiddlewareStack(Remembering.as_asgi())),
        path("strict/", OriginValidator(Raw.as_asgi(), ["https://shop.example"])),
    ]
)
app = ProtocolTypeRouter({"http": site, "websocket": sockets})
guarded = ProtocolTypeRouter({"http": site, "websocket": AllowedHostsOriginValidator(sockets)})
