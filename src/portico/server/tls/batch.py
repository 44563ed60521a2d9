"""What the TLS connections of a loop share, and do together.

Packets are decrypted as they come; then the requests of all connections are handled, and then all responses encrypted,
before the loop looks for the next packets. Code that is run again at once is still in the processor's caches: with 64
busy connections a request costs a third less than where its decryption, handling and encryption follow each other.
"""

import asyncio
import ssl
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico.server.tls.transport import SecureTransport


class Batch:
    """The connections that have something to hand up or to send in this turn of the loop.

    The memory that OpenSSL reads from and writes to is here too, and empty between calls: a pair of buffers for each
    connection would keep the size of the largest thing that ever went through it.
    """

    __slots__ = ("context", "incoming", "loop", "members", "outgoing")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.context = copy_context()  # nothing of a request whose answer happens to be the first of a batch
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.members: list[SecureTransport] = []

    def add(self, transport: "SecureTransport") -> None:
        """Have the connection do in this turn of the loop what it has to do."""
        if not self.members:
            self.loop.call_soon(self.run, context=self.context)
        self.members.append(transport)

    def run(self) -> None:
        """Let all of them have their turn."""
        members = self.members
        self.members = []
        for member in members:
            try:
                member.deliver()
            except Exception as error:
                member.lose(error)
        for member in members:
            member.flush()
