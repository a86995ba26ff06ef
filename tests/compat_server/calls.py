"""Calls a supervisor's methods with Python's own client and prints what came of each, a line for each:
what was called, a tab, and the outcome as JSON. What differs from one supervisor to the other
whatever they do (process ids, times, folders) is masked.

    calls.py PART URL FOLDER

Not compared, because the difference is wanted:

* parameters of a wrong type: the reference answers with status 500 and a traceback in its log, ours
  with INCORRECT_PARAMETERS (only `wait`, which Python takes as true or false, may be anything);
* `autorestart` of getAllConfigInfo, which this version of the reference does not tell yet;
* the paths of AUTO logs in getAllConfigInfo once the configuration was read again, which the
  reference forgets;
* signals that are constants of Python's module and no signals (`SIG_IGN` is 1 there, so HUP).

Rows of bulk answers are sorted: in which order processes end is not up to the server, and stops
go by descending priority in ours.
"""

import json
import re
import sys
import time
import xmlrpc.client

from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.xmlrpc import SupervisorTransport, SystemNamespaceRPCInterface

part, url, folder = sys.argv[1:]
if url.startswith("unix:"):
    transport = SupervisorTransport(None, None, url)
    proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
else:
    proxy = xmlrpc.client.ServerProxy(url)

# Every method that ours has, and the least and most parameters it takes.
METHODS = {
    "supervisor.getAPIVersion": (0, 0),
    "supervisor.getVersion": (0, 0),
    "supervisor.getSupervisorVersion": (0, 0),
    "supervisor.getIdentification": (0, 0),
    "supervisor.getState": (0, 0),
    "supervisor.getPID": (0, 0),
    "supervisor.getProcessInfo": (1, 1),
    "supervisor.getAllProcessInfo": (0, 0),
    "supervisor.startProcess": (1, 2),
    "supervisor.startProcessGroup": (1, 2),
    "supervisor.startAllProcesses": (0, 1),
    "supervisor.stopProcess": (1, 2),
    "supervisor.stopProcessGroup": (1, 2),
    "supervisor.stopAllProcesses": (0, 1),
    "supervisor.signalProcess": (2, 2),
    "supervisor.signalProcessGroup": (2, 2),
    "supervisor.signalAllProcesses": (1, 1),
    "supervisor.reloadConfig": (0, 0),
    "supervisor.addProcessGroup": (1, 1),
    "supervisor.removeProcessGroup": (1, 1),
    "supervisor.getAllConfigInfo": (0, 0),
    "supervisor.shutdown": (0, 0),
    "supervisor.restart": (0, 0),
    "system.listMethods": (0, 0),
    "system.methodHelp": (1, 1),
    "system.methodSignature": (1, 1),
}

STRANGERS = [
    "", ".", "nope", "supervisor", "supervisor.", ".getPID", "supervisor.nope", "supervisor.getpid",
    "supervisor.getPID.", "supervisor..getPID", "supervisor.getPID.x", "supervisor._update",
    "supervisor.__class__", "supervisor.listMethods", "system.getPID", "system.nope", "nope.getPID",
    "supervisor.getPID ", "supervisor.wörk", "a.b.c.d",
]

NAMES = [
    "cat", "cat:cat", "cat:*", "cat:", "many:many_00", "many", "many_00", "many:*", "many:nope", "pair:one",
    "one", "nope", "nope:*", "nope:nope", "", ":", "*", "*:*", ":cat", "a:b:c", "CAT", " cat", "wörk",
    "missing", "unreadable", "unparsable", "short-lived",
]

SIGNALS = ["CONT", "cont", "SIGCONT", "sigcont", " CONT ", "18", " 18 ", 18, 0, "0",
           "BOGUS", "", " ", 999, "999", -1, "-1", "18.0", "SIG", "TERM KILL", "wörk"]


def masked_text(text):
    text = text.replace(folder, "<folder>")
    text = re.sub(r"^pid \d+, uptime .*", "pid <pid>, uptime <time>", text)
    text = re.sub(r"^[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M$", "<date>", text)
    return re.sub(r"(---supervisor-)\w{8}\.log$", r"\1<random>.log", text)


def masked(value, key=None):
    if isinstance(value, dict):
        return {name: masked(member, name) for name, member in sorted(value.items()) if name != "autorestart"}
    if isinstance(value, list):
        return [masked(item) for item in value]
    if isinstance(value, str):
        return masked_text(value)
    # That it is none is told; which one it is can't be the same.
    if key in ("pid", "start", "stop", "now") and value:
        return "<%s>" % key
    return value


def ask(method, *params):
    # By way of the proxy's attributes a name could not be just any text.
    try:
        return proxy._ServerProxy__request(method, params)
    except xmlrpc.client.Fault as fault:
        return {"fault": fault.faultCode, "text": fault.faultString}
    except xmlrpc.client.ProtocolError as error:
        return {"status": error.errcode}


def tell(what, outcome):
    print("%s\t%s" % (json.dumps(what), json.dumps(outcome)), flush=True)


def call(method, *params):
    outcome = masked(ask(method, *params))
    if isinstance(outcome, list) and outcome and "description" in outcome[0] and "status" in outcome[0]:
        outcome.sort(key=lambda row: (row["group"], row["name"]))
    tell([method, *params], outcome)


def do(method, *params):
    call("supervisor." + method, *params)


def reach(name, state):
    """Waits for a state."""
    end = time.monotonic() + 30
    while ask("supervisor.getProcessInfo", name)["statename"] != state:
        if time.monotonic() > end:
            sys.exit("%s is not %s" % (name, state))
        time.sleep(0.02)


def until(name, state):
    """Waits for a state, and tells what the process is like then."""
    reach(name, state)
    do("getProcessInfo", name)


def public(cls, namespace):
    return {"%s.%s" % (namespace, name) for name in dir(cls) if not name.startswith("_")}


def about_methods():
    names = ask("system.listMethods")
    tell("in order", names == sorted(names))
    # Those that ours does not have yet are left out; what the reference lacks it has under `sv` alone.
    tell("listed", sorted(METHODS.keys() & set(names)))
    known = public(SupervisorNamespaceRPCInterface, "supervisor") | public(SystemNamespaceRPCInterface, "system")
    tell("strangers", sorted(name for name in set(names) - known if not name.startswith("sv.")))
    for name in METHODS:
        call("system.methodSignature", name)
        # The sentences are our own; what is said of parameters and result is not.
        text = ask("system.methodHelp", name)
        tell(["help", name], re.findall(r"@param\s+(\w+)\s+(\w+)|@return\s+(\w+)", text))
    for name in ["nope", "supervisor.nope", "", "supervisor"]:
        call("system.methodSignature", name)
        call("system.methodHelp", name)


def about_refusals():
    for name in STRANGERS:
        call(name)
    for name, (least, most) in METHODS.items():
        for count in range(6):
            if not least <= count <= most:
                call(name, *["x"] * count)


def about_state():
    for name in ["getAPIVersion", "getVersion", "getSupervisorVersion", "getIdentification", "getState",
                 "getAllProcessInfo"]:
        do(name)
    tell("getPID", isinstance(ask("supervisor.getPID"), int))
    for name in NAMES:
        do("getProcessInfo", name)


def about_starting():
    do("startProcess", "cat")
    for wait in [True, False, 0, 1, "", "no", 0.0, [], [0], {}]:
        do("stopProcess", "cat")
        do("startProcess", "cat", wait)
        until("cat", "RUNNING")
    for name in NAMES:
        if name not in ("cat", "cat:cat", "cat:*", "cat:", "many:*", "*:*", "short-lived"):
            do("startProcess", name)
            do("startProcess", name, False)
    do("startProcess", "short-lived")
    until("short-lived", "FATAL")
    do("startProcess", "slow", False)
    do("getProcessInfo", "slow")
    do("startProcess", "slow")
    do("signalProcess", "slow", "CONT")
    do("stopProcess", "slow")
    do("startProcess", "slow")
    do("getProcessInfo", "slow")
    do("startProcess", "flaky")
    do("startProcess", "flaky")
    do("stopProcess", "flaky")
    # Whether the stop comes between two tries or during one is up to the tick of the reference, and
    # with it whether there is an exit status.
    reach("flaky", "STOPPED")
    for wait in [True, False]:
        do("stopProcess", "many:many_00")
        do("startProcess", "many:*", wait)
        until("many:many_00", "RUNNING")
        do("startProcess", "many:*", wait)
        do("stopProcessGroup", "many")
        do("startProcessGroup", "many", wait)
        until("many:many_01", "RUNNING")
    for name in ["nope", "", "many:*", "many:many_00", "cat"]:
        do("startProcessGroup", name)
    do("stopAllProcesses")
    do("startAllProcesses")
    do("startAllProcesses", False)
    until("short-lived", "FATAL")


def about_signals():
    for signal in SIGNALS:
        for name in ["cat", "off", "nope"]:
            do("signalProcess", name, signal)
    for signal in ["CONT", "18", 18, "BOGUS", 999, ""]:
        do("signalProcess", "many:*", signal)
        for name in ["many", "nope", "pair"]:
            do("signalProcessGroup", name, signal)
        do("signalAllProcesses", signal)
    for name in NAMES:
        do("signalProcess", name, "CONT")


def about_stopping():
    do("startProcess", "cat")
    for wait in [True, False, 0, "no"]:
        do("stopProcess", "cat", wait)
        until("cat", "STOPPED")
        do("stopProcess", "cat", wait)
        do("startProcess", "cat")
    for name in NAMES:
        do("stopProcess", name)
    do("startAllProcesses")
    for wait in [True, False]:
        do("stopProcessGroup", "many", wait)
        until("many:many_00", "STOPPED")
        until("many:many_01", "STOPPED")
        do("stopProcess", "many:*", wait)
        do("stopProcessGroup", "many", wait)
        do("startProcessGroup", "many")
    for name in ["nope", "", "many:*", "many:many_00"]:
        do("stopProcessGroup", name)
    do("stopAllProcesses", False)
    until("slow", "STOPPED")
    until("pair:one", "STOPPED")
    do("stopAllProcesses")
    do("getAllProcessInfo")


def configure(programs):
    """Other programs after the head of the configuration, which is what it was."""
    path = folder + "/supervisord.conf"
    with open(path) as file:
        head = file.read().split("\n[program:")[0]
    with open(path, "w") as file:
        file.write(head + "\n" + programs)


def tell_configuration():
    rows = masked(ask("supervisor.getAllConfigInfo"))
    for row in rows:
        for stream in ["stdout_logfile", "stderr_logfile"]:
            row[stream] = re.sub(r".*<random>.log", "auto", row[stream])
    tell("configuration", rows)


def about_groups():
    do("getAllConfigInfo")
    do("reloadConfig")
    for name in ["cat", "nope", "", "many:*", "many:many_00", "wörk"]:
        do("addProcessGroup", name)
        do("removeProcessGroup", name)
    do("stopProcess", "cat")
    do("removeProcessGroup", "cat")
    do("getProcessInfo", "cat")
    do("removeProcessGroup", "cat")
    tell_configuration()
    do("addProcessGroup", "cat")
    until("cat", "RUNNING")
    configure("""
[program:added]
command=/bin/cat -u
directory=/tmp
startsecs=0
priority=7
[program:off]
command=/bin/cat
autostart=false
stopsignal=INT
stdout_logfile_maxbytes=1KB
[program:many]
command=/bin/cat
process_name=%(program_name)s_%(process_num)02d
numprocs=3
startsecs=0
""")
    do("reloadConfig")
    do("reloadConfig")
    tell_configuration()
    do("getProcessInfo", "cat")
    do("addProcessGroup", "added")
    until("added", "RUNNING")
    do("addProcessGroup", "off")
    do("removeProcessGroup", "off")
    do("addProcessGroup", "off")
    do("stopProcessGroup", "many")
    do("removeProcessGroup", "many")
    do("addProcessGroup", "many")
    until("many:many_02", "RUNNING")
    do("reloadConfig")
    # What is broken is refused with a text of our own, and all goes on.
    configure("[program:broken]\nstartsecs=soon\n")
    outcome = ask("supervisor.reloadConfig")
    tell("broken", [outcome["fault"], outcome["text"].split(":")[0]])
    tell_configuration()
    do("getProcessInfo", "added")


def about_a_shutdown():
    do("shutdown")
    for name, (least, most) in METHODS.items():
        for count in range(least, most + 1):
            if name == "system.listMethods":
                tell(name, sorted(METHODS.keys() & set(ask(name))))
            elif name != "system.methodHelp":
                call(name, *["cat", "CONT"][:count])
    for name in ["nope", "many:*", ""]:
        for method in ["getProcessInfo", "startProcess", "stopProcess", "stopProcessGroup"]:
            do(method, name)
        do("signalProcess", name, "BOGUS")
        do("signalProcessGroup", name, "BOGUS")
    about_refusals()


PARTS = {
    "methods": [about_methods, about_refusals],
    "state": [about_state],
    "groups": [about_groups],
    "configured": [tell_configuration],
    "deeds": [about_state, about_starting, about_signals, about_stopping],
    "shutdown": [about_a_shutdown],
}

for step in PARTS[part]:
    step()
