"""Calls a supervisor's methods with Python's own client and prints what came of each, a line for each:
what was called, a tab, and the outcome as JSON. What differs from one supervisor to the other
whatever they do (process ids, times, folders) is masked.

    calls.py PART URL FOLDER

Not compared, because the difference is wanted:

* how parameters of a wrong type are refused: the reference answers with status 500 and a traceback in
  its log, ours with INCORRECT_PARAMETERS (`wait`, which Python takes as true or false, may be anything);
* text that was cut in the middle of a character, which is a status of 500 there and U+FFFD here;
* `autorestart` of getAllConfigInfo, which this version of the reference does not tell yet;
* the paths of AUTO logs in getAllConfigInfo once the configuration was read again, which the
  reference forgets;
* signals that are constants of Python's module and no signals (`SIG_IGN` is 1 there, so HUP).

Rows of bulk answers are sorted: in which order processes end is not up to the server, and stops
go by descending priority in ours.
"""

import http.client as http_client
import json
import os
import pwd
import re
import socket
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

# Every method, and the least and most parameters it takes.
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
    "supervisor.readLog": (2, 2),
    "supervisor.readMainLog": (2, 2),
    "supervisor.clearLog": (0, 0),
    "supervisor.readProcessLog": (3, 3),
    "supervisor.readProcessStdoutLog": (3, 3),
    "supervisor.readProcessStderrLog": (3, 3),
    "supervisor.tailProcessLog": (3, 3),
    "supervisor.tailProcessStdoutLog": (3, 3),
    "supervisor.tailProcessStderrLog": (3, 3),
    "supervisor.clearProcessLog": (1, 1),
    "supervisor.clearProcessLogs": (1, 1),
    "supervisor.clearAllProcessLogs": (0, 0),
    "supervisor.sendProcessStdin": (2, 2),
    "supervisor.sendRemoteCommEvent": (2, 2),
    "supervisor.shutdown": (0, 0),
    "supervisor.restart": (0, 0),
    "system.listMethods": (0, 0),
    "system.methodHelp": (1, 1),
    "system.methodSignature": (1, 1),
    "system.multicall": (1, 1),
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
    "missing", "unreadable", "unparsable", "short-lived", "cat:cat:cat", "*:cat", "::", "cat\n", "\tcat", "%s",
    "../cat", "w\U0001f4a5", "ca\u0301t", "x" * 300,
]

SIGNALS = ["CONT", "cont", "SIGCONT", "sigcont", " CONT ", "18", " 18 ", 18, 0, "0",
           "BOGUS", "", " ", 999, "999", -1, "-1", "18.0", "SIG", "TERM KILL", "wörk"]

# For a process that never runs, as they may end it.
HARSH_SIGNALS = ["ABRT", "IOT", "SIGIOT", "CLD", "POLL", "IO", "PWR", "SYS", "STKFLT", "RTMIN", "SIGRTMAX", "RTMIN+1",
                 "34", "64", "65", "18\n", "+18", "0x12", "1e1", "SIGSIGHUP", "EMT", "INFO", "NSIG", "ITIMER_REAL"]


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
    print("%s\t%s" % (json.dumps(what, default=str), json.dumps(outcome)), flush=True)


def call(method, *params):
    tell([method, *params], in_order(masked(ask(method, *params))))


def in_order(outcome):
    """With the rows of bulk answers sorted, also where such an answer is one of several."""
    if not isinstance(outcome, list):
        return outcome
    if outcome and all(isinstance(row, dict) and "description" in row and "status" in row for row in outcome):
        return sorted(outcome, key=lambda row: (row["group"], row["name"]))
    return [in_order(item) for item in outcome]


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
    # Ours has methods beside them, in a namespace of their own.
    tell("listed", [name for name in names if not name.startswith("sv.")])
    known = public(SupervisorNamespaceRPCInterface, "supervisor") | public(SystemNamespaceRPCInterface, "system")
    tell("known", sorted(known ^ set(METHODS)))
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
    # One that is tried again and again is alive now and then, and would be signalled with the others by chance.
    do("stopProcess", "flaky")
    reach("flaky", "STOPPED")


def about_signals():
    for signal in SIGNALS:
        for name in ["cat", "off", "nope"]:
            do("signalProcess", name, signal)
    for signal in HARSH_SIGNALS:
        do("signalProcess", "missing", signal)
        do("signalProcessGroup", "missing", signal)
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
    # The next one waits for what runs, and not for what is stopping already.
    for name in ["cat", "many:many_00", "many:many_01", "off", "pair:a-name-that-is-longer-than-thirty", "silent"]:
        reach(name, "STOPPED")
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
[program:rich]
command=/bin/cat %(program_name)s "%(here)s"
user={user}
autostart=false
autorestart=true
startretries=7
stopwaitsecs=77
exitcodes=0,2,255
stopsignal=USR2
killasgroup=true
stopasgroup=true
umask=077
environment=A="b"
serverurl=http://example.com:1
stdout_logfile=NONE
stdout_logfile_backups=3
stdout_capture_maxbytes=2KB
stdout_events_enabled=true
stdout_syslog=true
stderr_logfile=%(here)s/rich.err
stderr_logfile_maxbytes=0
stderr_logfile_backups=0
stderr_capture_maxbytes=1MB
stderr_events_enabled=true
stderr_syslog=true
[program:joined]
command=/bin/cat
autostart=false
redirect_stderr=true
stdout_logfile=%(here)s/joined.log
serverurl=AUTO
""".replace("{user}", pwd.getpwuid(os.getuid()).pw_name))
    do("reloadConfig")
    do("reloadConfig")
    tell_configuration()
    do("getProcessInfo", "cat")
    do("getProcessInfo", "rich")
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
    configure("[program:broken\nno equals sign\n")
    outcome = ask("supervisor.reloadConfig")
    tell("no configuration", [outcome["fault"], outcome["text"].split(":")[0]])
    tell_configuration()


OFFSETS = [-1000, -21, -20, -12, -3, -2, -1, 0, 1, 2, 3, 4, 9, 10, 18, 30, 1000, "2", " -3 ", 2.9, True]
LENGTHS = [-1, 0, 1, 2, 3, 8, 1000, "3", False]
LOG_METHODS = ["readProcessStdoutLog", "readProcessStderrLog", "tailProcessStdoutLog", "tailProcessStderrLog"]


def told_cut(outcome):
    """A text that was cut in the middle of a character."""
    if outcome == {"status": 500} or "\ufffd" in str(outcome):
        return "cut"
    return masked(outcome)


def grown(name, size, channel="Stdout"):
    """Waits until so much was logged."""
    end = time.monotonic() + 30
    while ask("supervisor.tailProcess%sLog" % channel, name, 0, 1)[1] < size:
        if time.monotonic() > end:
            sys.exit("%s has not said enough" % name)
        time.sleep(0.02)


def about_logs():
    text = "h\u00e9llo w\u00f6rld\n\u20ac end \U0001f600\n"
    size = len(text.encode())
    do("sendProcessStdin", "parrot", text)
    grown("parrot", size)
    grown("parrot", size, "Stderr")
    for method in LOG_METHODS:
        for offset in OFFSETS:
            for length in LENGTHS:
                tell([method, offset, length], told_cut(ask("supervisor." + method, "parrot", offset, length)))
        for name in NAMES + ["silent", "parrot:parrot", "parrot:*"]:
            do(method, name, 0, 100)
    do("readProcessLog", "parrot", 0, 6)
    do("tailProcessLog", "parrot", 0, 1000)


def about_the_main_log():
    for method in ["readLog", "readMainLog"]:
        for offset, length in [(0, 0), (0, 5), (-5, 0), ("0", "5")]:
            told = ask("supervisor." + method, offset, length)
            tell([method, offset, length], isinstance(told, str) and len(told) > 0)
        for offset, length in [(-5, 5), (0, -1), (-1, -1), (10 ** 9, 0), (10 ** 9, 5)]:
            do(method, offset, length)
    do("clearLog")
    tell("cleared", isinstance(ask("supervisor.readLog", 0, 0), str))
    # Without its file.
    os.remove(folder + "/supervisord.log")
    for offset, length in [(0, 0), (-5, 5)]:
        do("readLog", offset, length)
    do("clearLog")


def about_clearing_logs():
    for name in NAMES:
        do("clearProcessLogs", name)
    do("clearProcessLog", "parrot")
    for method in LOG_METHODS:
        do(method, "parrot", 0, 100)
    do("sendProcessStdin", "parrot", "again\n")
    grown("parrot", 6)
    grown("parrot", 6, "Stderr")
    do("readProcessLog", "parrot", 0, 0)
    do("clearAllProcessLogs")
    for method in LOG_METHODS:
        do(method, "parrot", 0, 100)
    # Without the file, and with something in its place that can't be read.
    os.remove(folder + "/parrot.out")
    do("readProcessStdoutLog", "parrot", 0, 0)
    do("tailProcessStdoutLog", "parrot", 0, 10)
    do("tailProcessStdoutLog", "parrot", 7, 10)
    os.mkdir(folder + "/parrot.out")
    do("readProcessStdoutLog", "parrot", 0, 0)
    do("readProcessStdoutLog", "parrot", -1, 1)
    do("tailProcessStdoutLog", "parrot", 0, 10)
    do("tailProcessStdoutLog", "parrot", 7, 10)
    os.rmdir(folder + "/parrot.out")


def about_stdin():
    for name in NAMES + ["deaf", "deaf:deaf", "off", "parrot:*"]:
        do("sendProcessStdin", name, "x\n")
    do("sendProcessStdin", "cat", "")
    do("sendProcessStdin", "cat", xmlrpc.client.Binary("bytes \u00e9\n".encode()))
    do("stopProcess", "cat")
    do("sendProcessStdin", "cat", "x\n")
    do("startProcess", "cat")
    do("sendProcessStdin", "cat", "x\n")
    for kind, data in [("type", "data"), ("", ""), ("w\u00f6rt", "z\u00e4hl\n"), (5, 7), (True, 1.5)]:
        do("sendRemoteCommEvent", kind, data)


def multicall(*calls):
    call("system.multicall", [{"methodName": name, "params": list(params)} for name, *params in calls])


def about_multicalls():
    multicall()
    multicall(["supervisor.getState"])
    multicall(["supervisor.getVersion"], ["supervisor.getIdentification"], ["system.listMethod"])
    multicall(["supervisor.nope"], ["nope"], [""], ["supervisor.getState", 1], ["supervisor.getProcessInfo", "nope"])
    multicall(["supervisor.stopProcess", "cat"], ["supervisor.stopProcess", "cat"], ["supervisor.getProcessInfo", "cat"],
              ["supervisor.startProcess", "cat"], ["supervisor.startProcess", "cat"], ["supervisor.getProcessInfo", "cat"])
    multicall(["supervisor.startProcess", "slow"], ["supervisor.getProcessInfo", "slow"],
              ["supervisor.stopProcess", "slow"], ["supervisor.getProcessInfo", "slow"])
    multicall(["supervisor.startProcess", "slow", False], ["supervisor.getProcessInfo", "slow"],
              ["supervisor.stopProcess", "slow"])
    multicall(["supervisor.startProcess", "short-lived"], ["supervisor.startProcess", "missing"], ["supervisor.getState"])
    reach("short-lived", "FATAL")
    multicall(["supervisor.startProcessGroup", "pair"], ["supervisor.stopProcess", "pair:one"], ["supervisor.stopProcess", "pair:*"])
    multicall(["system.multicall", []], ["supervisor.getState"])
    multicall(["system.methodSignature", "system.multicall"], ["system.methodSignature", "nope"])
    multicall(["supervisor.sendProcessStdin", "cat", "x\n"], ["supervisor.signalProcess", "cat", "CONT"],
              ["supervisor.readProcessStderrLog", "silent", 0, 0], ["supervisor.sendRemoteCommEvent", "a", "b"])
    call("system.multicall", [{"methodName": "supervisor.getState"}, {"params": []}, {}, {"other": 1}])
    for calls in ["x", 5, True, {}, [5], ["x"], [[]]]:
        refused("system.multicall", calls)


def refused(method, *params):
    """Refused, in whatever way: the reference takes some values of a wrong type for names that are not there."""
    outcome = ask(method, *params)
    if outcome == {"status": 500} or isinstance(outcome, dict) and outcome.get("fault") in (2, 10):
        outcome = "refused"
    tell([method, *params], masked(outcome))


def about_types():
    names = ["getProcessInfo", "startProcess", "startProcessGroup", "stopProcess", "stopProcessGroup",
             "addProcessGroup", "removeProcessGroup", "clearProcessLogs"]
    for wrong in [5, 5.5, True, [], ["cat"], {}]:
        for method in names:
            refused("supervisor." + method, wrong)
        for method in ["signalProcess", "signalProcessGroup"]:
            refused("supervisor." + method, wrong, "CONT")
        for method in LOG_METHODS:
            refused("supervisor." + method, wrong, 0, 0)
        refused("supervisor.sendProcessStdin", wrong, "x")
        refused("supervisor.sendProcessStdin", "cat", wrong)
    for wrong in ["x", "", "1.5", "0x10", [], [1], {}]:
        refused("supervisor.readLog", wrong, 0)
        refused("supervisor.readLog", 0, wrong)
        for method in LOG_METHODS:
            refused("supervisor." + method, "cat", wrong, 0)
            refused("supervisor." + method, "cat", 0, wrong)
    for wrong in [[], ["CONT"], {}]:
        refused("supervisor.signalProcess", "cat", wrong)


# Parameters that are taken, whatever comes of them.
GIVEN = {
    "supervisor.readLog": [0, 0],
    "supervisor.readMainLog": [0, 0],
    "system.methodSignature": ["supervisor.getPID"],
    "system.multicall": [[{"methodName": "supervisor.getPID"}, {"methodName": "system.methodSignature"}]],
}


def about_a_shutdown():
    do("shutdown")
    for name, (least, most) in METHODS.items():
        for count in range(least, most + 1):
            if name == "system.listMethods":
                tell(name, [method for method in ask(name) if not method.startswith("sv.")])
            elif name != "system.methodHelp":
                given = ["cat", 0, 0] if name.endswith("Log") else ["cat", "CONT"]
                call(name, *GIVEN.get(name, given)[:count])
    for name in ["nope", "many:*", ""]:
        for method in ["getProcessInfo", "startProcess", "stopProcess", "stopProcessGroup"]:
            do(method, name)
        do("signalProcess", name, "BOGUS")
        do("signalProcessGroup", name, "BOGUS")
    about_refusals()


GET_STATE = "<methodCall><methodName>supervisor.getState</methodName></methodCall>"
BAD_NAME = ("<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param>"
            "<value>nope</value></param></params></methodCall>")

REQUEST_LINES = [
    "GET /RPC2", "PUT /RPC2", "HEAD /RPC2", "OPTIONS *", "OPTIONS /", "DELETE /", "PUT /", "GET /nope", "GET /rpc2",
    "GET /../../etc/passwd", "GET /%2e%2e/%2e%2e/etc/passwd", "GET /stylesheets/../index.html", "GET /%00",
    "GET /n\u00f6pe", "GET /n%C3%B6pe", "GET /", "GET /index.html", "GET /tail.html", "GET /tail.html?processname=cat",
    "GET /tail.html?processname=cat&limit=x", "GET /ok.html", "GET /stylesheets/supervisor.css", "HEAD /logtail/cat",
    "GET /logtail/nope", "GET /logtail/cat/nope", "GET /logtail/cat/", "GET /logtail/cat/stdout/x", "PUT /logtail/cat",
]

# Where and how a call is sent that is always the same.
POSTS = [
    ("/RPC2", {}), ("/RPC2/", {}), ("/RPC2/x?y", {}), ("/RPC2x", {}), ("/%52PC2", {}), ("/nope", {}),
    ("/RPC2", {"Content-Type": "application/json"}), ("/RPC2", {"Accept-Encoding": "gzip"}),
    ("/RPC2", {"Expect": "something"}), ("/RPC2", {"Connection": "Upgrade", "Upgrade": "h2c"}),
    ("/RPC2", {"Authorization": "Basic Og=="}), ("/RPC2", {"Cookie": "w\u00f6rk"}),
]

BODIES = [
    GET_STATE, GET_STATE + "\n\n", GET_STATE + "x", GET_STATE + "\0", GET_STATE + "<!-- x -->", "\ufeff" + GET_STATE,
    BAD_NAME, BAD_NAME.replace("nope", " nope "), BAD_NAME.replace("nope", "<string/>"),
    BAD_NAME.replace("nope", "<![CDATA[<&>]]>"), BAD_NAME.replace("nope", "&#119;&amp;"), BAD_NAME.replace("nope", "&nope;"),
    BAD_NAME.replace("<value>nope</value>", ""), BAD_NAME.replace("<value>nope</value>", "<value/>"),
    GET_STATE.replace("supervisor.getState", " supervisor.getState "), GET_STATE.replace("supervisor.getState", ""),
    GET_STATE.replace("<methodName>", "<methodName>nope</methodName><methodName>"),
    GET_STATE.replace("<methodName>", "<methodName a='b'>"), "<methodResponse/>", "nonsense", "<methodCall>",
    BAD_NAME.replace("getProcessInfo", "readLog").replace("nope", "<int>x</int>"),
]


def http(line, fields, body=""):
    """The status, the type and, of an answer to a call, the body."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(url[len("unix://"):])
    body = body.encode()
    fields = dict({"Host": "localhost", "Content-Length": len(body)}, **fields)
    head = "".join("%s: %s\r\n" % field for field in fields.items())
    connection.sendall(("%s HTTP/1.1\r\n%s\r\n" % (line, head)).encode() + body)
    answer = http_client.HTTPResponse(connection, method=line.split()[0])
    answer.begin()
    kind = answer.getheader("Content-Type")
    told = [answer.status, kind, answer.read().decode() if kind == "text/xml" else None]
    connection.close()
    tell([line, fields, body.decode()], told)


def about_http():
    for line in REQUEST_LINES:
        http(line, {})
    for target, fields in POSTS:
        http("POST " + target, fields, GET_STATE)
    for body in BODIES:
        http("POST /RPC2", {}, body)


PARTS = {
    "http": [about_http],
    "methods": [about_methods, about_refusals],
    "state": [about_state],
    "groups": [about_groups],
    "logs": [about_logs, about_the_main_log, about_clearing_logs],
    "more": [about_stdin, about_multicalls, about_types],
    "configured": [tell_configuration],
    "deeds": [about_state, about_starting, about_signals, about_stopping],
    "shutdown": [about_a_shutdown],
}

for step in PARTS[part]:
    step()
