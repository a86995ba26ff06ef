"""A page that hands work to Celery, and the work: GET /2/3 answers 5 when a worker has added it up."""

import os

from celery import Celery

HERE = os.path.dirname(os.path.abspath(__file__))
REDIS = "redis+socket://" + os.path.join(HERE, "run", "redis.sock")
QUEUE = Celery("app", broker=REDIS, backend=REDIS)
QUEUE.conf.broker_connection_retry = True
QUEUE.conf.beat_schedule = {"tick": {"task": "app.tick", "schedule": 1.0}}


@QUEUE.task(name="app.add")
def add(one, other):
    return one + other


@QUEUE.task(name="app.tick")
def tick():
    print("tick", flush=True)


def web(environ, start_response):
    try:
        one, other = (int(word) for word in environ["PATH_INFO"].split("/")[1:])
    except ValueError:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/NUMBER/NUMBER\n"]
    answer = f"{add.delay(one, other).get(timeout=20)}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
