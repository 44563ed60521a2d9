import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from portico.web.plan.callables import is_async_generator, is_coroutine, is_generator, unwrapped


def plain() -> None: ...


async def coroutine() -> None: ...


def generator() -> Iterator[None]:
    yield


async def async_generator() -> AsyncIterator[None]:
    yield


class Methods:
    def plain(self) -> None: ...

    async def coroutine(self) -> None: ...

    def generator(self) -> Iterator[None]:
        yield

    async def async_generator(self) -> AsyncIterator[None]:
        yield


def object_with(call: Any) -> Any:
    return type("Object", (), {"__call__": staticmethod(call), "__hash__": None})()


def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    return wrapper


FUNCTIONS = {"plain": plain, "coroutine": coroutine, "generator": generator, "async_generator": async_generator}
ANSWERS = {"coroutine": is_coroutine, "generator": is_generator, "async_generator": is_async_generator}


@pytest.mark.parametrize(
    "around",
    [
        lambda call: call,
        functools.partial,
        lambda call: functools.partial(functools.partial(call)),
        object_with,
        lambda call: functools.partial(object_with(call)),
        wrapped,
        lambda call: functools.partial(wrapped(call)),
        lambda call: object_with(wrapped(call)),
        lambda call: object_with(functools.partial(call)),
        lambda call: getattr(Methods(), call.__name__),
    ],
    ids=[
        "bare",
        "partial",
        "partials",
        "object",
        "partial-object",
        "wrapped",
        "partial-wrapped",
        "object-wrapped",
        "object-partial",
        "method",
    ],
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_callable_is_what_it_stands_for(name: str, around: Any) -> None:
    call = around(FUNCTIONS[name])
    assert [kind for kind, answer in ANSWERS.items() if answer(call)] == [kind for kind in ANSWERS if kind == name]


def test_a_wrapper_that_awaits_is_a_coroutine_function_itself() -> None:
    @functools.wraps(plain)
    async def wrapper() -> None: ...

    assert is_coroutine(wrapper)


def test_a_class_is_none_whatever_its_instances_are() -> None:
    class Callable_:
        async def __call__(self) -> None: ...

    assert not is_coroutine(Callable_)
    assert is_coroutine(Callable_())


def test_nothing_is_none() -> None:
    assert [answer(None) for answer in ANSWERS.values()] == [False, False, False]


def test_unwrapped_goes_below_partials_and_decorators() -> None:
    assert unwrapped(functools.partial(wrapped(plain))) is plain
