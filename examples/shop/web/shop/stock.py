"""What is in stock, kept in Redis as one list of JSON texts."""

from __future__ import annotations

import json
from typing import Any

from redis import Redis

KEY = "shop:items"
MOST_ITEMS = 1000


class Stock:
    """The items of the shop."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def ping(self) -> None:
        """Raises RedisError when the store does not answer."""
        self._redis.ping()

    def count(self) -> int:
        """How many items there are."""
        return int(self._redis.llen(KEY))

    def all(self) -> list[dict[str, Any]]:
        """Every item, newest first."""
        return [json.loads(text) for text in self._redis.lrange(KEY, 0, MOST_ITEMS - 1)]

    def add(self, name: str, price: int) -> dict[str, Any]:
        """Add an item; the oldest ones make room when there are too many."""
        item = {"name": name, "price": price}
        with self._redis.pipeline() as pipeline:
            pipeline.lpush(KEY, json.dumps(item))
            pipeline.ltrim(KEY, 0, MOST_ITEMS - 1)
            pipeline.execute()
        return item
