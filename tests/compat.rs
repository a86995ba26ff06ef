//! Every configuration that Supervisor reads, ours reads the same way, and what it refuses, ours
//! refuses: a corpus of files, each read by the reference's supervisord and then by ours.
//!
//! Both run under the same name, in the same folder, with the same environment, one after the other.
//! Of a good file the answers to getIdentification, getAllConfigInfo and getAllProcessInfo have to be
//! equal, of a bad one the exit status, and our message has to name what theirs names, with the file
//! and the line at fault.
//!
//! `tests/compat/good` and `tests/compat/bad` hold the files, and beside a file in a folder of its name
//! what it includes. The first comment of a file says which row of COMPAT.md it shows, or what it is
//! modelled on. More comments at the top are for the harness:
//!
//! * `; names: a, b` – both messages hold these texts (bad files)
//! * `; line: 7` – our message names this line (bad files); `; in: NAME/x.conf` – of this included file
//! * `; log: TEXT` – both activity logs hold this text (good files); `<here>` is the folder
//! * `; compare: a.txt` – a program writes this file, which has to be the same (good files)
//! * `; login: NAME:PASSWORD` – what the server asks for (good files)
//!
//! Not compared, because the difference is wanted or chance: the eight random characters in the name
//! of an AUTO log; `autorestart` in getAllConfigInfo, which this version of the reference does not report
//! yet (RPC-CI-04); and there the name of a log file that is set to nothing, which is `none` in ours and
//! empty in the reference (RPC-CI-06). Of getAllProcessInfo only names and paths are compared: what has become of a
//! process by then is up to the clock.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this file is a test, its helpers included")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use support::peers;
use support::{Sandbox, TIMEOUT, binary, copy_folder, free_port};
use sv::xmlrpc::{Value, decode_response, encode_call};

/// How ours and the reference may differ on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// A good file that the reference refuses.
    TakenByOurs,
    /// A bad file that the reference takes.
    RefusedByOurs,
    /// A bad file that ours takes, with a warning.
    RefusedByTheirs,
}
use Difference::{RefusedByOurs, RefusedByTheirs, TakenByOurs};

/// Each file with a difference, and the row of COMPAT.md that gives the reason. A difference that is not
/// there fails as well.
const DIFFERENT: &[(&str, &str, Difference)] = &[
    ("ini_byte_order_mark", "INI-023", TakenByOurs),
    ("exp_log_file_two_percents", "EXP-016", TakenByOurs),
    ("exp_log_file_variable", "EXP-016", TakenByOurs),
    ("exp_supervisors_environment_once", "EXP-012", TakenByOurs),
    ("exp_server_options_here", "EXP-023", TakenByOurs),
    ("envp_escaped_quotes", "ENVP-004", TakenByOurs),
    ("listener_handler", "RISK-07", RefusedByTheirs),
    ("inc_default", "CFG-RPCI-007", TakenByOurs),
    ("ini_default_and_plugin", "CFG-RPCI-007", TakenByOurs),
    ("ini_empty_program_name", "INI-026", RefusedByOurs),
    ("exp_no_name", "EXP-007", RefusedByOurs),
    ("exp_injected_colon", "EXP-018", RefusedByOurs),
    ("type_signal_constant", "TYPE-008", RefusedByOurs),
    ("envp_bare_home", "ENVP-007", RefusedByOurs),
    ("envp_separator", "ENVP-002", RefusedByOurs),
    ("cfg_same_names", "CFG-PROG-010", RefusedByOurs),
    ("cfg_identifier", "CFG-SD-025", RefusedByOurs),
    ("cfg_empty_username", "CFG-UNIX-007", RefusedByOurs),
    ("cfg_group_and_program", "CFG-GRP-008", RefusedByOurs),
    ("cfg_group_member_twice", "CFG-GRP-007", RefusedByOurs),
    ("cfg_foreign_plugin", "CFG-RPCI-002", RefusedByTheirs),
];

/// Files that are read at once, and with them supervisors that run at once.
const AT_ONCE: usize = 4;

/// The folders hold at least this many files together.
const FILES_MIN: usize = 150;

/// A file of the corpus.
struct Case {
    name: String,
    path: PathBuf,
    /// The comments at its top: key and text; the first one has no key.
    marks: Vec<(String, String)>,
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let lines = text.trim_start_matches('\u{feff}').split(['\r', '\n']).filter(|line| !line.is_empty());
        let marks =
            lines.map_while(|line| line.strip_prefix("; ")).map(|comment| match comment.split_once(": ") {
                Some((key @ ("names" | "line" | "in" | "log" | "compare" | "login"), text)) => {
                    (key.to_owned(), text.to_owned())
                }
                _ => (String::new(), comment.to_owned()),
            });
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Self { name, marks: marks.collect(), path }
    }

    fn marks(&self, key: &str) -> impl Iterator<Item = &str> {
        self.marks.iter().filter(move |(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.marks("names").flat_map(|names| names.split(", "))
    }

    fn difference(&self) -> Option<Difference> {
        DIFFERENT.iter().find(|(name, ..)| *name == self.name).map(|(.., difference)| *difference)
    }

    /// A folder with the file as its configuration and what the file includes.
    fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new("");
        fs::copy(&self.path, sandbox.config()).unwrap();
        let included = self.path.with_extension("");
        if included.is_dir() {
            copy_folder(&included, &sandbox.path(&self.name));
        }
        sandbox
    }
}

fn corpus(half: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(half);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    files.sort();
    files.into_iter().map(Case::read).collect()
}

/// What came of a configuration.
enum Outcome {
    /// It runs and answers, with what its programs wrote.
    Serves { answers: Vec<String>, log: String },
    /// It was refused.
    Refused { code: Option<i32>, text: String },
    /// Neither in time.
    Silent { text: String },
}

/// One of the two supervisors, on the way to its outcome.
struct Run<'s> {
    sandbox: &'s Sandbox,
    child: Child,
    /// Its standard output and standard error.
    terminal: String,
}

impl<'s> Run<'s> {
    fn start(sandbox: &'s Sandbox, program: &Path, port: u16) -> Self {
        let terminal = format!("{}.out", if program == binary() { "ours" } else { "theirs" });
        let output = File::create(sandbox.path(&terminal)).unwrap();
        let mut command = Command::new(program);
        command.arg0("supervisord").env_clear().envs(environment(sandbox.dir(), port));
        let mut command = sandbox.marked(command);
        command.args(["-n", "-c"]).arg(sandbox.config()).stdin(Stdio::null());
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { sandbox, child, terminal }
    }

    fn text(&self) -> String {
        self.sandbox.file(&self.terminal)
    }

    fn refusal(&mut self) -> Option<Outcome> {
        let status = self.child.try_wait().unwrap()?;
        Some(Outcome::Refused { code: status.code(), text: self.text() })
    }

    /// What it answers, once what its programs write is there as well.
    fn service(&self, case: &Case) -> Option<Outcome> {
        if !case.marks("compare").all(|name| self.sandbox.path(name).exists()) {
            return None;
        }
        let mut answers = answers(&self.sandbox.path("s.sock"), case.marks("login").next())?;
        for name in case.marks("compare") {
            answers.extend(self.sandbox.file(name).lines().map(|line| format!("{name}: {line}")));
        }
        let log = self.text();
        case.marks("log")
            .all(|text| log.contains(&self.here(text)))
            .then_some(Outcome::Serves { answers, log })
    }

    fn here(&self, text: &str) -> String {
        text.replace("<here>", self.sandbox.dir().to_str().unwrap())
    }

    /// Waits until `look` finds an outcome or the supervisor ends, and then ends it.
    fn outcome(mut self, look: impl Fn(&Self) -> Option<Outcome>) -> Outcome {
        let deadline = Instant::now() + TIMEOUT;
        let outcome = loop {
            if let Some(found) = self.refusal().or_else(|| look(&self)) {
                break found;
            }
            if Instant::now() > deadline {
                break Outcome::Silent { text: self.text() };
            }
            thread::sleep(Duration::from_millis(5));
        };
        _ = self.child.kill();
        _ = self.child.wait();
        outcome
    }
}

/// All that either supervisor gets to see of an environment.
fn environment(folder: &Path, port: u16) -> Vec<(&'static str, String)> {
    let (leaf, folder) = (folder.file_name().unwrap().to_str().unwrap(), folder.to_str().unwrap());
    [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", folder),
        ("TMPDIR", folder),
        // Or Python would set a variable of this kind by itself.
        ("LC_ALL", "C.UTF-8"),
        ("LEAF", leaf),
        ("APP", "shop"),
        ("WORKERS", "3"),
        ("LEVEL", "info"),
        ("EMPTY", ""),
        ("DISPLAY", ":99.0"),
        ("VNC_VIEW_ONLY", "0"),
        ("GREETING", "Grüß Gott, κόσμε"),
        ("QUOTED", "a \"b\" 'c', d; e # f"),
        ("PAIRS", "A=\"1\",B='2, 3'"),
        ("PERCENT", "100% %s %d %%(x)s %(here)s %"),
        ("MY_UID", &rustix::process::getuid().as_raw().to_string()),
        ("MY_GID", &rustix::process::getgid().as_raw().to_string()),
        ("PORT", &port.to_string()),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// What a server answers, a line for each field; `None` while it does not.
fn answers(socket: &Path, login: Option<&str>) -> Option<Vec<String>> {
    let ask = |method: &str| ask(socket, login, &format!("supervisor.{method}"));
    let mut lines = vec![format!("identification {}", reported(&ask("getIdentification")?))];
    for row in ask("getAllConfigInfo")?.as_array().unwrap_or_default() {
        lines.extend(fields("config", row, |name| name != "autorestart"));
    }
    for row in ask("getAllProcessInfo")?.as_array().unwrap_or_default() {
        lines.extend(fields("process", row, |name| {
            matches!(name, "name" | "group") || name.ends_with("logfile")
        }));
    }
    Some(lines)
}

/// `WHAT GROUP:NAME FIELD VALUE` for each field that is wanted, by the fields' names.
fn fields(what: &str, row: &Value, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let Value::Struct(members) = row else { return vec![reported(row)] };
    let whose =
        ["group", "name"].map(|field| row.get(field).and_then(Value::as_str).unwrap_or("?")).join(":");
    let wanted = members.iter().filter(|(name, _)| is_wanted(name));
    let mut lines: Vec<String> =
        wanted.map(|(name, value)| format!("{what} {whose} {name} {}", reported(value))).collect();
    lines.sort();
    lines.into_iter().map(without_empty_log).collect()
}

fn reported(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", without_random(text)),
        other => format!("{other:?}"),
    }
}

fn without_empty_log(line: String) -> String {
    match line.strip_suffix("_logfile \"\"") {
        Some(start) if start.starts_with("config ") => format!("{start}_logfile \"none\""),
        _ => line,
    }
}

/// `web-stdout---supervisor-k3j2h1l0.log`
fn without_random(text: &str) -> String {
    let split =
        text.strip_suffix(".log").filter(|stem| stem.contains("---")).and_then(|stem| stem.rsplit_once('-'));
    match split {
        Some((start, random)) if random.len() == 8 => format!("{start}-<random>.log"),
        _ => text.to_owned(),
    }
}

fn ask(socket: &Path, login: Option<&str>, method: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    let call = encode_call(method, &[]);
    let basic = |login| base64::engine::general_purpose::STANDARD.encode(login);
    let login = login.map(|login| format!("Authorization: Basic {}\r\n", basic(login))).unwrap_or_default();
    let head = format!(
        "POST /RPC2 HTTP/1.0\r\n{login}Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        call.len()
    );
    stream.write_all(&[head.as_bytes(), &call].concat()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    match decode_response(&answer[body..]) {
        Ok(outcome) => Some(outcome.unwrap_or_else(|fault| Value::from(format!("fault {fault:?}").as_str()))),
        Err(error) => Some(Value::from(format!("{error:?}: {}", String::from_utf8_lossy(&answer)).as_str())),
    }
}

/// Both outcomes of a case, theirs first.
fn outcomes(
    case: &Case,
    sandbox: &Sandbox,
    reference: &Path,
    look: impl Fn(&Run<'_>) -> Option<Outcome>,
) -> [Outcome; 2] {
    let port = free_port();
    [reference.join("supervisord"), binary()].map(|program| {
        for name in case.marks("compare") {
            _ = fs::remove_file(sandbox.path(name));
        }
        _ = fs::remove_file(sandbox.path("s.sock"));
        Run::start(sandbox, &program, port).outcome(&look)
    })
}

/// Whether both read a good file alike.
fn check_good(case: &Case, reference: &Path) -> Result<(), String> {
    let sandbox = case.sandbox();
    let [theirs, ours] = outcomes(case, &sandbox, reference, |run| run.service(case));
    match (theirs, ours, case.difference()) {
        (Outcome::Serves { answers: theirs, .. }, Outcome::Serves { answers: ours, .. }, None) => {
            compared(&theirs, &ours)
        }
        (Outcome::Refused { .. }, Outcome::Serves { .. }, Some(TakenByOurs)) => Ok(()),
        (theirs, ours, _) => Err(format!("theirs {theirs}ours {ours}")),
    }
}

fn compared(theirs: &[String], ours: &[String]) -> Result<(), String> {
    if theirs == ours {
        return Ok(());
    }
    let only = |sign, these: &[String], those: &[String]| {
        let only = these.iter().filter(|line| !those.contains(line));
        only.map(|line| format!("  {sign} {line}\n")).collect::<String>()
    };
    let difference = only('-', theirs, ours) + &only('+', ours, theirs);
    Err(if difference.is_empty() { format!("another order:\n{theirs:#?}\n{ours:#?}\n") } else { difference })
}

/// Whether both refuse a bad file, and ours names what theirs names.
fn check_bad(case: &Case, reference: &Path) -> Result<(), String> {
    let sandbox = case.sandbox();
    let started = |run: &Run<'_>| {
        let log = run.text();
        log.contains("supervisord started with pid").then(|| Outcome::Serves { answers: Vec::new(), log })
    };
    let [theirs, ours] = outcomes(case, &sandbox, reference, started);
    let complaints = match (&theirs, &ours, case.difference()) {
        (
            Outcome::Refused { code: Some(2), text: theirs },
            Outcome::Refused { code: Some(2), text: ours },
            None,
        ) => [unnamed(case, "theirs", theirs), unnamed(case, "ours", ours), unplaced(case, &sandbox, ours)]
            .concat(),
        (Outcome::Serves { .. }, Outcome::Refused { code: Some(2), text }, Some(RefusedByOurs)) => {
            [unnamed(case, "ours", text), unplaced(case, &sandbox, text)].concat()
        }
        (Outcome::Refused { code: Some(2), text }, Outcome::Serves { log, .. }, Some(RefusedByTheirs)) => {
            [unnamed(case, "theirs", text), unnamed(case, "ours", log)].concat()
        }
        _ => vec!["not as expected".to_owned()],
    };
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\ntheirs {theirs}ours {ours}", complaints.join("\n")))
    }
}

fn unnamed(case: &Case, whose: &str, text: &str) -> Vec<String> {
    let missing = case.names().filter(|name| !text.contains(name));
    missing.map(|name| format!("{whose} does not name {name}")).collect()
}

/// A syntax error lists its lines, all others have one in parentheses.
fn unplaced(case: &Case, sandbox: &Sandbox, text: &str) -> Vec<String> {
    let Some(line) = case.marks("line").next() else { return Vec::new() };
    let file = case.marks("in").next().map_or_else(|| sandbox.config().to_owned(), |name| sandbox.path(name));
    let file = format!("'{}'", file.display());
    let is_placed = text.contains(&format!("file: {file}, line: {line}"))
        || text.contains(&file) && text.contains(&format!("[line {line:>2}]"));
    if is_placed { Vec::new() } else { vec![format!("ours does not tell {file} and line {line}")] }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serves { log, .. } => writeln!(f, "takes it:\n{log}"),
            Self::Refused { code, text } => writeln!(f, "refuses it with status {code:?}:\n{text}"),
            Self::Silent { text } => writeln!(f, "neither takes nor refuses it in time:\n{text}"),
        }
    }
}

/// Checks all cases of a half, several in parallel, and reports all failures together.
fn check_all(half: &str, check: impl Fn(&Case, &Path) -> Result<(), String> + Sync) {
    let Some(reference) = peers::reference() else { return };
    let (cases, next, failures) = (corpus(half), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = check(case, &reference) {
                failures.lock().unwrap().push(format!("{half}/{}.conf:\n{why}", case.name));
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| _ = scope.spawn(work)));
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} of {} fail\n\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn good_files_are_read_alike() {
    check_all("good", check_good);
}

#[test]
fn bad_files_are_refused_alike() {
    check_all("bad", check_bad);
}

/// Each file is there for a reason that can be looked up, and no exception outlives its file.
#[test]
fn every_file_of_the_corpus_states_its_purpose() {
    let cases: Vec<Case> = ["good", "bad"].map(corpus).into_iter().flatten().collect();
    assert!(cases.len() >= FILES_MIN, "{} files only", cases.len());
    let compat = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("COMPAT.md")).unwrap();
    let is_row = |id: &str| compat.contains(&format!("\n| {id} |"));
    for case in &cases {
        let reason = case.marks("").next().unwrap_or_default();
        let rows =
            reason.split_once(": ").map(|(rows, _)| rows.split([',', ' ']).filter(|id| id.contains('-')));
        let is_known = reason.starts_with("As ") || rows.is_some_and(|mut rows| rows.all(is_row));
        assert!(is_known, "{}: '{reason}' names no row", case.path.display());
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    for (name, row, _) in DIFFERENT {
        assert!(names.contains(name) && is_row(row), "{name} ({row}) is not there");
    }
}
