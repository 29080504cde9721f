"""What vendors call our deliveries: the SID of an SMS or call, the receipt of a notification.

`tocsin:vendor:{delivery}` is the vendor's id; `tocsin:delivery:{vendor's id}` leads back. So a send whose reply was
lost is adopted by its callback, and a listed message that belongs to another delivery is left alone.
"""

from typing import Any

from redis import Redis

KEPT_SECONDS = 7 * 86_400  # vendors report for a day at most, and Pushover keeps receipts for a week


class VendorIds:
    """Vendors' ids of deliveries, and back."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def claim(self, delivery: str, vendor_id: str) -> None:
        """Record that a delivery has that id; the first one stays."""
        with self._redis.pipeline() as pipe:
            pipe.set(f"tocsin:vendor:{delivery}", vendor_id, ex=KEPT_SECONDS, nx=True)
            pipe.set(f"tocsin:delivery:{vendor_id}", delivery, ex=KEPT_SECONDS, nx=True)
            pipe.execute()

    def of(self, delivery: str) -> str:
        """Return a delivery's id; empty while none is known."""
        return _text(self._redis.get(f"tocsin:vendor:{delivery}"))

    def delivery(self, vendor_id: str) -> str:
        """Return the delivery that has that id; empty for one that we do not know."""
        return _text(self._redis.get(f"tocsin:delivery:{vendor_id}"))


def _text(raw: Any) -> str:
    return raw.decode() if isinstance(raw, bytes) else ""
