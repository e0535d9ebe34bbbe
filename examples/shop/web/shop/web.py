"""The web service: what is sold, what is added, and whether the service is well."""

from __future__ import annotations

import logging
import os
import socket
import time

from flask import Flask, Response, g, jsonify, request
from redis import Redis
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from shop.stock import Stock

VERSION = os.environ.get("SHOP_VERSION", "1")
BROKEN = os.environ.get("SHOP_BROKEN", "") == "1"

log = logging.getLogger("shop")
app = Flask(__name__)
stock = Stock(Redis.from_url(os.environ.get("SHOP_STORE", "redis://127.0.0.1:6379/0"), socket_timeout=2))


@app.get("/")
def index() -> Response:
    """Who answers, and how much is in stock."""
    return jsonify(shop="open", version=VERSION, instance=socket.gethostname(), items=stock.count())


@app.get("/health")
def health() -> tuple[Response, int]:
    """200 when the store answers, 503 otherwise; SHOP_BROKEN=1 plays a version that never becomes healthy."""
    if BROKEN:
        return jsonify(healthy=False, version=VERSION, why="SHOP_BROKEN is set"), 503
    stock.ping()
    return jsonify(healthy=True, version=VERSION), 200


@app.get("/items")
def items() -> Response:
    """Everything that was put up for sale."""
    return jsonify(items=stock.all())


@app.post("/items")
def add_item() -> tuple[Response, int]:
    """Put an item up for sale: JSON with `name` and `price` in cents."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        return jsonify(error="send a JSON object with name and price"), 400
    name, price = body.get("name"), body.get("price")
    if not isinstance(name, str) or not 0 < len(name) <= 100 or not isinstance(price, int) or price < 0:
        return jsonify(error="name is a text of 1 to 100 characters, price a whole number of cents"), 400
    return jsonify(stock.add(name, price)), 201


@app.errorhandler(RedisError)
def store_failed(error: RedisError) -> tuple[Response, int]:
    """The store does not answer: say so, and be asked again later."""
    log.error("store does not answer", extra={"error": str(error)})
    return jsonify(error="the store does not answer"), 503


@app.errorhandler(HTTPException)
def refused(error: HTTPException) -> tuple[Response, int]:
    """Errors of HTTP as JSON too."""
    return jsonify(error=error.name), error.code or 500


@app.before_request
def begin() -> None:
    """Remember when the request came."""
    g.started = time.perf_counter()


@app.after_request
def record(response: Response) -> Response:
    """One log line a request, health checks left out."""
    if request.path != "/health":
        log.info(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
                "version": VERSION,
            },
        )
    return response
