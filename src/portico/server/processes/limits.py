"""How much a worker serves before it is replaced: requests, time, memory."""

import math
import random
from dataclasses import dataclass

from portico.server.config import Config
from portico.server.metrics.census import Census


@dataclass(frozen=True)
class Limits:
    """The limits of one worker, with its share of the jitter."""

    requests: float = math.inf
    lifetime_s: float = math.inf
    rss: float = math.inf

    @classmethod
    def of(cls, config: Config) -> "Limits":
        """Return the limits of a new worker."""
        requests = lifetime = rss = math.inf
        if config.limit_max_requests is not None:
            requests = config.limit_max_requests + random.randint(0, config.limit_max_requests_jitter)
        if config.limit_max_lifetime is not None:
            lifetime = config.limit_max_lifetime + random.uniform(0, config.limit_max_lifetime_jitter)
        if config.limit_max_rss is not None:
            rss = config.limit_max_rss
        return cls(requests, lifetime, rss)

    def reached(self, census: Census, place: int, served_s: float) -> tuple[str, str] | None:
        """Return which limit a worker has reached, in a word and in words."""
        requests = census.requests(place)
        if requests >= self.requests:
            return "requests", f"has served {requests} requests"
        if served_s >= self.lifetime_s:
            return "lifetime", f"has served for {served_s:.0f} s"
        rss = census.rss(place)
        if rss > self.rss:
            return "memory", f"has grown to {rss >> 20} MiB"
        return None
