//! The rows of the table.

use super::DefaultValue::{Is, Required, Unset};
use super::Naming::{Optional, Required as Named, Single};
use super::ValueType::*;
use super::{OptionDoc, OptionList, SectionDoc, SectionKind};
use crate::model::Role;
use crate::model::options::OnUpdate::{InPlace, Restart};
use crate::model::options::TakesEffect::{Contents, Never, NewStart, NextClient, Processes, Reload, Update};
use crate::model::options::{PROGRAM, beside as row};

/// All sections, in the order in which the sample shows them.
pub const TABLE: &[SectionDoc] = &[
    SectionDoc {
        kind: SectionKind::UnixHttpServer,
        name: "unix_http_server",
        naming: Optional,
        doc: "The control server on a unix socket. More of them are [unix_http_server:NAME].",
        options: OptionList::of(UNIX_HTTP_SERVER),
    },
    SectionDoc {
        kind: SectionKind::InetHttpServer,
        name: "inet_http_server",
        naming: Optional,
        doc: "The control server on a TCP port. Anyone who can connect can run programs, so set a password.",
        options: OptionList::of(INET_HTTP_SERVER),
    },
    SectionDoc {
        kind: SectionKind::ProbeHttpServer,
        name: "probe_http_server",
        naming: Optional,
        doc: "Metrics and probes on a TCP port, and nothing else, without a password; sv only.",
        options: OptionList::of(PROBE_HTTP_SERVER),
    },
    SectionDoc {
        kind: SectionKind::Supervisord,
        name: "supervisord",
        naming: Single,
        doc: "The supervisor itself. This section is required, even if it is empty.",
        options: OptionList::of(SUPERVISORD),
    },
    SectionDoc {
        kind: SectionKind::RpcInterface,
        name: "rpcinterface",
        naming: Named,
        doc: "Needed for the control client and all other XML-RPC clients.",
        options: OptionList::of(RPC_INTERFACE),
    },
    SectionDoc {
        kind: SectionKind::Supervisorctl,
        name: "supervisorctl",
        naming: Single,
        doc: "The control client.",
        options: OptionList::of(SUPERVISORCTL),
    },
    SectionDoc {
        kind: SectionKind::CtlPlugin,
        name: "ctlplugin",
        naming: Named,
        doc: "A Python plug-in of the control client. supervisor-wildcards is built in; others can't be run.",
        options: OptionList::of(&[]),
    },
    SectionDoc {
        kind: SectionKind::ProgramDefault,
        name: "program-default",
        naming: Single,
        doc: "Defaults for all programs, which their own sections override; sv only, Supervisor ignores it.",
        options: PROGRAM,
    },
    SectionDoc {
        kind: SectionKind::Program,
        name: "program",
        naming: Named,
        doc: "A program to run. Values may use %(program_name)s, %(process_num)02d, %(here)s, %(ENV_HOME)s.",
        options: PROGRAM,
    },
    SectionDoc {
        kind: SectionKind::FcgiProgram,
        name: "fcgi-program",
        naming: Named,
        doc: "A program that accepts connections on a socket that the supervisor creates for it, such as FastCGI.",
        options: OptionList::with_those_of_programs(SOCKET),
    },
    SectionDoc {
        kind: SectionKind::EventListener,
        name: "eventlistener",
        naming: Named,
        doc: "A pool of programs that receive events; its own priority is -1 unless set.",
        options: OptionList::with_those_of_programs(POOL),
    },
    SectionDoc {
        kind: SectionKind::Group,
        name: "group",
        naming: Named,
        doc: "Programs that are started and stopped together.",
        options: OptionList::of(GROUP),
    },
    SectionDoc {
        kind: SectionKind::Include,
        name: "include",
        naming: Single,
        doc: "More files to read. Relative patterns start at the directory of this file.",
        options: OptionList::of(INCLUDE),
    },
];

const UNIX_HTTP_SERVER: &[OptionDoc] = &[
    row("file", Path, Required("/tmp/supervisor.sock"), Reload, "path of the socket"),
    row("chmod", Octal, Is("0700"), Reload, "permissions of the socket"),
    row("chown", Owner, Unset("root:root"), Reload, "owner of the socket, user or user:group"),
    row("username", Text, Unset("admin"), Reload, "required of clients; default: none"),
    row("password", Secret, Unset("change-me"), Reload, "plain text, or {SHA} and its SHA-1 in hex"),
    ROLE,
    row("role_uid", Roles, Unset("0=admin,1000=read"), Reload, "role of these users instead").since("0.1.0"),
    READ_LOGS,
];

const ROLE: OptionDoc =
    row("role", Word(Role::NAMES), Is("admin"), Reload, "what clients may do: metrics, read, operate, admin")
        .since("0.1.0");
const READ_LOGS: OptionDoc =
    row("read_logs", Boolean, Is("true"), Reload, "whether the roles read and operate include logs")
        .since("0.1.0");

const INET_HTTP_SERVER: &[OptionDoc] = &[
    row("port", Address, Required("127.0.0.1:9001"), Reload, "host:port, or *:port for all addresses"),
    row("username", Text, Unset("admin"), Reload, "required of clients; default: none"),
    row("password", Secret, Unset("change-me"), Reload, "plain text, or {SHA} and its SHA-1 in hex"),
    ROLE,
    READ_LOGS,
    row(
        "allowed_hosts",
        List,
        Unset("sv.example.com"),
        Reload,
        "host names for browsers; default: its own, and any with a password",
    )
    .since("0.1.0"),
];

const PROBE_HTTP_SERVER: &[OptionDoc] =
    &[row("port", Address, Required("*:9002"), Reload, "host:port, or *:port for all addresses")
        .since("0.1.0")];

const SUPERVISORD: &[OptionDoc] = &[
    row("logfile", Path, Is("supervisord.log"), Reload, "activity log"),
    row("logfile_maxbytes", Size, Is("50MB"), Reload, "size at which it is rotated; 0: never"),
    row("logfile_backups", Integer, Is("10"), Reload, "rotated files to keep; 0: none"),
    row(
        "loglevel",
        LogLevel,
        Is("info"),
        Update(InPlace),
        "critical, error, warn, info, debug, trace or blather",
    ),
    row("pidfile", Path, Is("supervisord.pid"), Reload, "file for our process id"),
    row("nodaemon", Boolean, Is("false"), NewStart, "stay in the foreground"),
    row("silent", Boolean, Is("false"), Reload, "no activity log on stdout in the foreground"),
    row("minfds", Integer, Is("1024"), NewStart, "file descriptors that must be available"),
    row("minprocs", Integer, Is("200"), NewStart, "processes that must be available"),
    row("umask", Octal, Unset("022"), NewStart, "file mode mask; 022 when daemonizing"),
    row("user", User, Unset("root"), NewStart, "user to switch to; default: the one that started us"),
    row("identifier", Text, Is("supervisor"), Reload, "name of this supervisor among others"),
    row("directory", Directory, Unset("/tmp"), NewStart, "working directory when daemonizing"),
    row("nocleanup", Boolean, Is("false"), Reload, "keep the AUTO logs of an earlier run"),
    row("childlogdir", Directory, Unset("/tmp"), Reload, "directory of AUTO logs; default: $TMPDIR or /tmp"),
    row("on_idle", Word(&["wait", "exit"]), Is("wait"), Reload, "exit: end when no program runs or will run")
        .since("0.1.0"),
    row(
        "shutdown_timeout",
        Integer,
        Unset("25"),
        Reload,
        "seconds until a shutdown kills all; default: none",
    )
    .since("0.1.0"),
    row("client_timeout", Seconds, Is("60"), Reload, "seconds for a client to send or to read")
        .since("0.1.0"),
    row("signal_*", SignalAction, Unset("shutdown"), Reload, "or reload, reopen, ignore, forward:NAME")
        .since("0.1.0"),
    row(
        "control_socket",
        ControlSocket,
        Is("auto"),
        Reload,
        "or none, or a path; auto: where sv looks for it",
    )
    .since("0.1.0"),
    row("environment", Pairs, Is(""), Update(Restart), "variables for all programs: A=\"1\",B=\"2\""),
    row(
        "env_file",
        Files,
        Unset("-/run/app.env"),
        Update(Restart),
        "files of variables for all programs; -: optional",
    )
    .since("0.1.0"),
    row("strip_ansi", Boolean, Is("false"), Reload, "remove terminal colors from programs' logs"),
    row(
        "log_format",
        LogFormat,
        Is("raw"),
        Update(InPlace),
        "format of programs' output: raw, prefix or json",
    )
    .since("0.1.0"),
    row(
        "log_timestamp",
        Boolean,
        Unset("true"),
        Update(InPlace),
        "time in prefix and json; default: in json",
    )
    .since("0.1.0"),
    row("log_ring_bytes", Size, Is("64KB"), Update(InPlace), "kept for tail if there is no file; 0: none")
        .since("0.1.0"),
    row("strict", Boolean, Is("false"), Update(InPlace), "reject what is unknown, unused or open to all")
        .since("0.1.0"),
    row("profile_options", Text, Unset("cumulative,calls"), Never, "has no effect"),
];

const RPC_INTERFACE: &[OptionDoc] = &[row(
    "supervisor.rpcinterface_factory",
    Text,
    Required("supervisor.rpcinterface:make_main_rpcinterface"),
    Reload,
    "the only one that is built in",
)];

const SUPERVISORCTL: &[OptionDoc] = &[
    row("serverurl", Url, Is("http://localhost:9001"), NextClient, "unix:///path or http://host:port"),
    row("username", Text, Unset("admin"), NextClient, "user name for the server"),
    row("password", Secret, Unset("change-me"), NextClient, "password for the server, plain text"),
    row("prompt", Text, Is("supervisor"), NextClient, "prompt of the shell, before its >"),
    row("history_file", Path, Unset("~/.sv_history"), NextClient, "file for the lines typed; default: none"),
];

const SOCKET: &[OptionDoc] = &[
    row(
        "socket",
        Url,
        Required("unix:///tmp/php.sock"),
        Update(Restart),
        "unix:///path or tcp://host:port; it is their stdin",
    ),
    row(
        "socket_owner",
        Owner,
        Unset("root:root"),
        Update(Restart),
        "owner of a unix socket, user or user:group; default: as user",
    ),
    row("socket_mode", Octal, Unset("0700"), Update(Restart), "permissions of a unix socket; default: 0700"),
    row(
        "socket_backlog",
        Integer,
        Is("4096"),
        Update(Restart),
        "connections that may wait; the kernel has its own limit",
    ),
];

const POOL: &[OptionDoc] = &[
    row("events", List, Required("PROCESS_STATE,TICK_60"), Update(Restart), "types of events to receive"),
    row("buffer_size", Integer, Is("10"), Update(Restart), "events that may wait for a listener"),
    row(
        "result_handler",
        Text,
        Is("supervisor.dispatchers:default_handler"),
        Update(Restart),
        "the only one that is built in",
    ),
    row("event_length", Text, Is("characters"), Update(Restart), "what len counts, characters or bytes")
        .since("0.1.0"),
];

const GROUP: &[OptionDoc] = &[
    row("programs", List, Unset("web"), Processes, "names of the programs in it"),
    row("priority", Integer, Is("999"), Update(InPlace), "lower ones start first and stop last"),
];

const INCLUDE: &[OptionDoc] = &[row(
    "files",
    Globs,
    Required("conf.d/*.ini"),
    Contents,
    "patterns, separated by spaces or line breaks",
)];
