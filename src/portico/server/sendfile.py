"""Files straight from the kernel's cache to a socket: `os.sendfile`, or reads and writes where that cannot be done."""

import asyncio
import errno
import os
from typing import Any

from portico.asgi import ClientDisconnected, PorticoError

PIECE = 1 << 18  # bytes sent or read before other connections have their turn
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTSOCK)


async def send_file(connection: Any, file: int, offset: int, count: int) -> None:
    """Send `count` bytes of the open file from `offset` on; raises PorticoError where the file is shorter by now."""
    end = offset + count
    transport = connection.transport
    sock = None if transport is None else transport.get_extra_info("socket")
    if sock is not None and hasattr(os, "sendfile") and transport.get_extra_info("sslcontext") is None:
        await _empty(connection)
        offset = await _sendfile(connection, sock.fileno(), file, offset, end)
    while offset < end:
        data = os.pread(file, min(PIECE, end - offset), offset)
        if not data:
            raise PorticoError(f"the file is shorter than it was: {end - offset} bytes are missing")
        offset += len(data)
        if connection.transport is None:
            raise ClientDisconnected("the client has disconnected")
        connection.service.meter.send(len(data))
        connection.transport.write(data)
        await connection.drain()


async def _empty(connection: Any) -> None:
    """Wait until the transport has nothing more to write, since what is sent beside it must come after."""
    transport = connection.transport
    transport.set_write_buffer_limits(high=0)
    try:
        while connection.transport is not None and transport.get_write_buffer_size():
            await connection.wait_writable()
    finally:
        if connection.transport is not None:
            transport.set_write_buffer_limits()
    await connection.drain()


async def _sendfile(connection: Any, socket: int, file: int, offset: int, end: int) -> int:
    """Send until the end or until the kernel refuses; return how far it went."""
    loop = asyncio.get_running_loop()
    # The loop does not watch a descriptor that a transport has, but it does watch a copy of it.
    socket = os.dup(socket)
    try:
        while offset < end:
            if connection.transport is None:
                raise ClientDisconnected("the client has disconnected")
            try:
                sent = os.sendfile(socket, file, offset, min(PIECE, end - offset))
            except BlockingIOError:
                await _wait_writable(connection, loop, socket)
                continue
            except OSError as error:
                if error.errno in UNSUPPORTED:
                    return offset
                raise ClientDisconnected("the client has disconnected") from error
            if sent == 0:
                raise PorticoError(f"the file is shorter than it was: {end - offset} bytes are missing")
            offset += sent
            connection.service.meter.send(sent)
            await asyncio.sleep(0)
    finally:
        os.close(socket)
    return offset


async def _wait_writable(connection: Any, loop: asyncio.AbstractEventLoop, socket: int) -> None:
    future = connection.wait_writable()
    loop.add_writer(socket, _finish, future)
    connection.await_progress(True)
    try:
        await future
    finally:
        loop.remove_writer(socket)
        connection.await_progress(False)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
