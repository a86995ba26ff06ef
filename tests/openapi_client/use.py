"""Uses the client that openapi-python-client has made of the served description: operations, errors and events."""

import sys

import httpx
from sv_client import Client
from sv_client.api.default import (
    get_process,
    get_server,
    list_events,
    list_processes,
    read_log,
    restart_process,
    start_process,
    stop_process,
)
from sv_client.models import ActionResults, Error, Events, LogText, ProcessDetails, Processes, Server, State

client = Client(base_url=sys.argv[1], timeout=httpx.Timeout(30))

server = get_server.sync(client=client)
assert isinstance(server, Server), server
assert server.permissions.administer, server

listed = list_processes.sync(client=client, group="web")
assert isinstance(listed, Processes), listed
assert [process.full_name for process in listed.processes] == ["web:web_00", "web:web_01"], listed
assert listed.summary.by_state.additional_properties == {"RUNNING": 2}, listed

for act, state in ((stop_process, State.STOPPED), (start_process, State.RUNNING), (restart_process, State.RUNNING)):
    done = act.sync(client=client, name="web:web_00", wait=20)
    assert isinstance(done, ActionResults) and done.completed, done
    assert [result.full_name for result in done.results] == ["web:web_00"], done
    details = get_process.sync(client=client, name="web:web_00")
    assert isinstance(details, ProcessDetails), details
    assert details.process.state == state, details
assert details.history[-1].to == State.RUNNING, details
assert details.config.command == "/bin/sleep 1000", details

answer = start_process.sync_detailed(client=client, name="nope")
assert answer.status_code == 404, answer
assert isinstance(answer.parsed, Error), answer
assert (answer.parsed.error.name, answer.parsed.error.code) == ("BAD_NAME", 10), answer

events = list_events.sync(client=client, after=server.newest_event)
assert isinstance(events, Events) and not events.missed, events
assert [event.to for event in events.events if event.full_name == "web:web_00"][-1] == State.RUNNING, events
assert all(event.serial > server.newest_event for event in events.events), events

log = read_log.sync(client=client, bytes_=1024)
assert isinstance(log, LogText) and "web_00" in log.text, log
print("done")
