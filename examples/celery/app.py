"""A page in Flask that hands work to Celery, and the work: GET /2/3 answers 5 when a worker has added it up."""

import os

from celery import Celery
from flask import Flask

HERE = os.path.dirname(os.path.abspath(__file__))
REDIS = "redis+socket://" + os.path.join(HERE, "run", "redis.sock")
QUEUE = Celery("app", broker=REDIS, backend=REDIS)
QUEUE.conf.broker_connection_retry = True
QUEUE.conf.beat_schedule = {"tick": {"task": "app.tick", "schedule": 1.0}}
web = Flask(__name__)


@QUEUE.task(name="app.add")
def add(one, other):
    return one + other


@QUEUE.task(name="app.tick")
def tick():
    print("tick", flush=True)


@web.get("/<int:one>/<int:other>")
def page(one, other):
    return f"{add.delay(one, other).get(timeout=20)}\n", {"Content-Type": "text/plain"}
