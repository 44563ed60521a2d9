"""How much a client may do that costs us work and brings it nothing: a bucket that fills with time and useful work."""


class Allowance:
    """A bucket of `burst` tokens, of which `rate` come back in a second."""

    __slots__ = ("burst", "left", "rate", "since")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        """Fill it; `now` is the time in seconds, here and below, on any clock that does not run backwards."""
        self.burst = burst
        self.rate = rate
        self.left = burst
        self.since = now

    def spend(self, now: float) -> bool:
        """Take one token; return whether there was one."""
        self.left = min(self.burst, self.left + (now - self.since) * self.rate)
        self.since = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True

    def earn(self, tokens: float) -> None:
        """Give back what useful work is worth."""
        self.left = min(self.burst, self.left + tokens)
