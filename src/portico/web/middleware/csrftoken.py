"""CSRF tokens: random, signed, and if wanted bound to a session. They say nothing, so they need no secrecy to last."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes

NONCE_BYTES = 18
PURPOSE = b"portico.csrf:"  # so that no signature made for something else with the same secret is one of ours


class TokenSigner:
    """Makes tokens and checks them: `nonce.signature`, the signature over the nonce and what it is bound to."""

    def __init__(self, secret_key: str) -> None:
        self.key = sha256(PURPOSE + secret_key.encode("utf-8")).digest()

    def make(self, bound_to: str) -> bytes:
        """Return a new token."""
        nonce = urlsafe_b64encode(token_bytes(NONCE_BYTES))
        return nonce + b"." + self._signature(nonce, bound_to)

    def is_valid(self, token: bytes, bound_to: str) -> bool:
        """Tell whether the token is one of ours, in a time that does not depend on where it differs."""
        nonce, _, signature = token.partition(b".")
        return hmac.compare_digest(signature, self._signature(nonce, bound_to))

    def _signature(self, nonce: bytes, bound_to: str) -> bytes:
        digest = hmac.digest(self.key, nonce + b"." + bound_to.encode("utf-8", "surrogatepass"), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=")


def same_token(one: bytes, other: bytes) -> bool:
    """Tell whether two tokens are equal, in constant time."""
    return hmac.compare_digest(one, other)
