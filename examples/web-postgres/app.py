"""A page that hands work to a worker by a table of PostgreSQL: GET /2/3 answers 5 when the worker has added it up."""

import select
import time

import psycopg2

TAKE = """
    UPDATE jobs SET answer = one + other
    WHERE id IN (SELECT id FROM jobs WHERE answer IS NULL FOR UPDATE SKIP LOCKED)
    RETURNING id
"""


def connect():
    # The address is in the environment: PGHOST, PGUSER, PGDATABASE.
    db = psycopg2.connect("")
    db.autocommit = True
    return db, db.cursor()


def web(environ, start_response):
    words = environ["PATH_INFO"].split("/")[1:]
    db, cursor = connect()
    try:
        if words == [""]:
            cursor.execute("SELECT count(*) FROM jobs")
            return answer(start_response, "200 OK", f"{cursor.fetchone()[0]} jobs")
        one, other = (int(word) for word in words)
        cursor.execute("INSERT INTO jobs (one, other) VALUES (%s, %s) RETURNING id", (one, other))
        return answer(start_response, "200 OK", str(result(cursor, cursor.fetchone()[0])))
    except ValueError:
        return answer(start_response, "404 Not Found", "/NUMBER/NUMBER")
    finally:
        db.close()


def result(cursor, job):
    cursor.execute("NOTIFY jobs")
    for _ in range(400):
        cursor.execute("SELECT answer FROM jobs WHERE id = %s AND answer IS NOT NULL", (job,))
        found = cursor.fetchone()
        if found:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(f"nobody has done job {job}")


def answer(start_response, status, text):
    body = f"{text}\n".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def work():
    db, cursor = connect()
    cursor.execute("LISTEN jobs")
    print("waiting for jobs", flush=True)
    while True:
        cursor.execute(TAKE)
        for (job,) in cursor.fetchall():
            print(f"job {job} is done", flush=True)
        select.select([db], [], [])
        db.poll()
        db.notifies.clear()


if __name__ == "__main__":
    work()
