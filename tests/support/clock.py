"""Clock that stands still until a test pushes it."""

from datetime import datetime, timedelta

from tests.support.story import START


class PushedClock:
    """Clock of a test: `now` is when it stands."""

    def __init__(self, at: datetime = START) -> None:
        self.now = at

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """The same for those who count seconds since 1970."""
        return self.now.timestamp()

    def push(self, **length: float) -> datetime:
        self.now += timedelta(**length)
        return self.now
