"""What a client of HTTP/2 is allowed."""

from portico.codec.limits import Limits


class Bounds:
    """What a client is allowed, as our SETTINGS say."""

    __slots__ = ("frame_size", "limits", "streams", "window")

    def __init__(self, limits: Limits, streams: int = 100, window: int = 262144, frame_size: int = 16384) -> None:
        self.limits = limits
        self.streams = streams  # open at a time
        self.window = window  # bytes of a body that nobody has used yet
        self.frame_size = frame_size  # bytes of a payload
