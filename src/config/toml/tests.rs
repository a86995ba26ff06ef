//! Tests of the TOML reader, from text to document and settings.

use std::path::Path;

use super::super::document::{Document, Section};
use super::super::fake::{Fake, MAIN, MAIN_TOML, errors_in, load_text, load_toml, toml_errors_in};
use super::super::{Errors, load, load_client, load_servers};
use super::*;
use crate::model::{Namespace, Settings};

fn names_of(namespaces: &[Namespace]) -> Vec<&str> {
    namespaces.iter().map(|namespace| namespace.name.as_str()).collect()
}

fn document_of(text: &str) -> Document {
    let mut document = Document::default();
    let file = document.add_file(Path::new("x.toml"), "/".to_owned());
    parse(text.as_bytes(), file, &mut document).unwrap();
    document
}

/// `[section@line]key@line=value;`
fn summary(text: &str) -> String {
    let document = document_of(text);
    let section = |section: &Section| {
        let options = section.entries().iter().map(|entry| {
            format!("{}@{}={:?};", entry.key, entry.place.line, entry.value).replace("Text(", "(")
        });
        format!("[{}@{}]{}", section.name, section.place.line, options.collect::<String>())
    };
    document.sections().iter().map(section).collect()
}

#[test]
fn tables_become_sections_in_the_order_of_their_headers() {
    for (text, expected) in [
        ("", ""),
        ("# only\n", ""),
        ("[supervisord]\n", "[supervisord@1]"),
        (
            "[program.b]\ncommand='b'\n\n[program.a]\ncommand = 'a' # c\n[supervisord]",
            "[program:b@1]command@2=(\"b\");[program:a@4]command@5=(\"a\");[supervisord@6]",
        ),
        (
            "[program.a.environment]\nX='1'\n[program.a]\ncommand='a'",
            "[program:a@3]environment@1=Pairs([(\"X\", \"1\")]);command@4=(\"a\");",
        ),
        ("program.a.command = 'a'\n", "[program:a@1]command@1=(\"a\");"),
        ("supervisord = {loglevel='info'}", "[supervisord@1]loglevel@1=(\"info\");"),
        ("[program.'a:b c']\n[program.A]", "[program:a:b c@1][program:A@2]"),
        ("['program:a']\ncommand='a'", "[program:a@1]command@2=(\"a\");"),
        ("[group]\nprograms='a'\n[group.g]", "[group@1]programs@2=(\"a\");[group:g@3]"),
        ("[program]\n[program.a]", "[program:a@2]"),
        ("[program]\n", "[program@1]"),
        (
            "[unix_http_server]\nfile='a'\n[unix_http_server.two]\nfile='b'\n",
            "[unix_http_server@1]file@2=(\"a\");[unix_http_server:two@3]file@4=(\"b\");",
        ),
        ("[unix_http_server]\n[unix_http_server.two]\n", "[unix_http_server@1][unix_http_server:two@2]"),
        ("[unix_http_server.file]\n", "[unix_http_server:file@1]"),
        (
            "[celery.worker.x]\ny=1\n[celery]\nz=[1]",
            "[celery:worker@1]x.y@2=(\"1\");[celery@3]z@4=(\"[1]\");",
        ),
        (
            "[rpcinterface.x]\nsupervisor.rpcinterface_factory = 'a:b'\n\"supervisor.y\"=1",
            "[rpcinterface:x@1]supervisor.rpcinterface_factory@2=(\"a:b\");supervisor.y@3=(\"1\");",
        ),
        (
            "[supervisord]\nLogLevel='info'\nLOGFILE='x'",
            "[supervisord@1]loglevel@2=(\"info\");logfile@3=(\"x\");",
        ),
        ("[DEFAULT]\nx='1'\n", "[DEFAULT@1]x@2=(\"1\");"),
        ("\u{feff}[supervisord]\r\nsilent=true\r\n", "[supervisord@1]silent@2=(\"true\");"),
    ] {
        assert_eq!(summary(text), expected, "{text:?}");
        assert_eq!(document_of(text).misplaced(), [], "{text:?}");
    }
}

#[test]
fn values_are_converted_to_the_types_of_their_options() {
    for (line, expected) in [
        ("autostart=true", "(\"true\")"),
        ("autostart='%(ENV_X)s'", "(\"%(ENV_X)s\")"),
        ("autorestart=false", "(\"false\")"),
        ("numprocs=0x10", "(\"16\")"),
        ("startsecs=-1_000", "(\"-1000\")"),
        ("startsecs=+5", "(\"5\")"),
        ("startsecs=99999999999999999999", "(\"99999999999999999999\")"),
        ("stdout_logfile_maxbytes=0", "(\"0\")"),
        ("stdout_logfile_maxbytes='1MB'", "(\"1MB\")"),
        ("umask=0o22", "(\"22\")"),
        ("umask='022'", "(\"022\")"),
        ("stopsignal=10", "(\"10\")"),
        ("user=33", "(\"33\")"),
        ("exitcodes=[0, 0x2]", "List([\"0\", \"2\"])"),
        ("exitcodes=3", "(\"3\")"),
        ("command='a b'", "(\"a b\")"),
        ("command=['a', 'b c']", "List([\"a\", \"b c\"])"),
        ("command=\"\"\"\na\n b\"\"\"", "(\"a\\n b\")"),
        ("env_file=[]", "List([])"),
        ("environment='A=1'", "(\"A=1\")"),
        (
            "environment={z='z', B=true, C=1_0, D=0o22, E=1.50, 'x.y'='%(here)s'}",
            "Pairs([(\"z\", \"z\"), (\"B\", \"true\"), (\"C\", \"10\"), (\"D\", \"0o22\"), (\"E\", \"1.50\"), \
             (\"x.y\", \"%(here)s\")])",
        ),
        ("unknown=1979-05-27", "(\"1979-05-27\")"),
        ("unknown={}", "(\"{}\")"),
    ] {
        let expected = format!("[program:x@1]{}@2={expected};", line.split('=').next().unwrap());
        assert_eq!(summary(&format!("[program.x]\n{line}")), expected, "{line}");
    }
}

#[test]
fn wrong_types_are_reported_with_their_places() {
    for (line, number, message) in [
        ("autostart=1", 4, "'autostart' must be true or false, not the integer 1"),
        ("autostart=['true']", 4, "'autostart' must be true or false, not an array"),
        ("autostart='maybe'", 4, "not a valid boolean value: 'maybe'"),
        ("autorestart=1.5", 4, "'autorestart' must be true, false or \"unexpected\", not the float 1.5"),
        ("numprocs=1.0", 4, "'numprocs' must be an integer, not the float 1.0"),
        ("numprocs=true", 4, "'numprocs' must be an integer, not the boolean true"),
        ("priority=99999999999999999999", 4, "integer out of range: '99999999999999999999'"),
        (
            "stdout_logfile_maxbytes=07:32:00",
            4,
            "'stdout_logfile_maxbytes' must be an integer or a text such as \"50MB\", not the date-time 07:32:00",
        ),
        ("umask=22", 4, "'umask' must be written in octal, such as 0o22 or \"022\", not the integer 22"),
        ("umask=0x12", 4, "'umask' must be written in octal, such as 0o22 or \"022\", not the integer 0x12"),
        ("stopsignal=['TERM']", 4, "'stopsignal' must be a text or an integer, not an array"),
        ("process_name=5", 4, "'process_name' must be a text, not the integer 5"),
        ("directory=false", 4, "'directory' must be a text, not the boolean false"),
        ("exitcodes=[0,\n '2']", 5, "each item of 'exitcodes' must be an integer, not the text '2'"),
        ("exitcodes=[300]", 4, "not a valid list of exit codes: '300'"),
        ("env_file=['a',\n\n ['b']]", 6, "each item of 'env_file' must be a text, not an array"),
        ("environment=['A=1']", 4, "'environment' must be a table or a text, not an array"),
        (
            "environment={A='1',\n B=1979-05-27}",
            5,
            "'B' in 'environment' must be a text, a number, true or false, not the date-time 1979-05-27",
        ),
        (
            "[program.x.environment]\nA='1'\n[program.x.environment.B]\nC='1'",
            6,
            "'B' in 'environment' must be a text, a number, true or false, not a table",
        ),
        ("environment={'A=B'='1'}", 4, "'environment' can not hold a variable called 'A=B'"),
        ("environment={''='1'}", 4, "'environment' can not hold a variable called ''"),
        (
            "[[program.x.umask]]\n",
            4,
            "'umask' must be written in octal, such as 0o22 or \"022\", not an array",
        ),
    ] {
        let text = format!("[supervisord]\n[program.x]\ncommand='a'\n{line}");
        let found = toml_errors_in(&text);
        let start =
            format!("{message} in section 'program:x' (file: '/etc/x.toml', line: {number}, option: ");
        assert!(found.len() == 1 && found[0].starts_with(&start), "{line}: {found:?}");
    }
}

#[test]
fn wrong_types_hide_nothing_and_carry_their_value() {
    let text = "loglevel='info'\n[supervisord]\nloglevel=5\nminfds='few'\n[program.a]\ncommand=5\nautostart=2\n\
        [[program.b]]\ncommand='b'\n[[group]]\nprograms='a'\n";
    let found = toml_errors_in(text);
    let expected = [
        "'loglevel' must be in a section, such as [supervisord] (file: '/etc/x.toml', line: 1, option: loglevel)",
        "[group] must be a table, not an array of tables: write its header in single brackets in section 'group' \
         (file: '/etc/x.toml', line: 10)",
        "[program:b] must be a table, not an array of tables: write its header in single brackets in section \
         'program:b' (file: '/etc/x.toml', line: 8)",
    ];
    for expected in expected {
        assert!(found.iter().any(|error| error == expected), "{expected}: {found:#?}");
    }
    assert_eq!(found.len(), 7, "{found:#?}");
    let Errors(errors) = load_toml(text).unwrap_err();
    let values: Vec<_> = errors.iter().filter_map(|error| error.value.as_deref()).collect();
    assert_eq!(values, ["5", "few", "2", "5"]);
}

#[test]
fn secrets_do_not_show() {
    for value in ["12345", "['12345']", "{x='12345'}", "1234.5", "'%(12345'"] {
        let text = format!("[supervisord]\n[inet_http_server]\nport=1\nusername='u'\npassword={value}");
        let errors = load_toml(&text).unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains("1234"), "{errors:?}");
    }
}

#[test]
fn every_bad_line_is_reported_once() {
    for (text, expected) in [
        ("[supervisord", &["unclosed table, expected `]` (file: '/etc/x.toml', line: 1)"][..]),
        (
            "[a]\nx=1\nx=2\n[a]\n",
            &["duplicate key (file: '/etc/x.toml', line: 3)", "duplicate key (file: '/etc/x.toml', line: 4)"],
        ),
        (
            "[program:web]\ncommand=sleep 60\nautostart=true\n\nstartsecs=01\n",
            &[
                "invalid unquoted key, expected letters, numbers, `-`, `_` (file: '/etc/x.toml', line: 1) (did you mean [program.web]?)",
                "string values must be quoted, expected literal string (file: '/etc/x.toml', line: 2)",
                "unexpected leading zero, expected nothing (file: '/etc/x.toml', line: 5)",
            ],
        ),
        ("; ini\n", &["key with no value, expected `=` (file: '/etc/x.toml', line: 1)"]),
    ] {
        let expected: Vec<_> = expected.iter().map(|error| format!("not valid TOML: {error}")).collect();
        assert_eq!(toml_errors_in(text), expected, "{text}");
    }
    let flood = toml_errors_in(&"x=\n".repeat(1_000));
    assert_eq!(flood.len(), BAD_LINES_MAX);
    let machine = Fake::new().file(MAIN_TOML, b"[a]\n\xff");
    let message = load(Path::new(MAIN_TOML), &[], &machine).unwrap_err().to_string();
    assert_eq!(message, "byte 0xff in position 4 of '/etc/x.toml' is not valid UTF-8");
    let machine = Fake::new().file(MAIN_TOML, vec![b'\n'; super::super::TOML_BYTES_MAX + 1]);
    let message = load(Path::new(MAIN_TOML), &[], &machine).unwrap_err().to_string();
    assert_eq!(message, "config file /etc/x.toml has more than 1048576 bytes");
}

#[test]
fn names_are_judged_as_in_ini() {
    for (ini, toml) in [
        ("[program:a b]\ncommand=a", "[program.'a b']\ncommand='a'"),
        ("[program:a:b]\ncommand=a", "[program.'a:b']\ncommand='a'"),
        ("[program:]\ncommand=a", "[program.'']\ncommand='a'"),
        ("[group:g]\nprograms=nope", "[group.g]\nprograms=['nope']"),
    ] {
        let expected: Vec<_> = errors_in(&format!("[supervisord]\n{ini}"))
            .iter()
            .map(|error| error.replace("x.conf", "x.toml"))
            .collect();
        assert!(!expected.is_empty());
        assert_eq!(toml_errors_in(&format!("[supervisord]\n{toml}")), expected, "{toml}");
    }
    assert_eq!(
        toml_errors_in("[supervisord]\n[program.\"a\\nb\"]\ncommand='a'"),
        [
            "the name of a section can not hold control characters: 'program:a\\nb' (file: '/etc/x.toml', line: 2)"
        ]
    );
    assert_eq!(toml_errors_in(""), [".toml file does not include supervisord section (file: '/etc/x.toml')"]);
    assert!(toml_errors_in("[supervisord]\n[include]")[0].starts_with(".toml file has [include] section"));
}

fn notices(settings: &Settings) -> Vec<&str> {
    settings.notices.iter().map(|notice| notice.text.as_str()).collect()
}

#[test]
fn unknown_names_are_reported_as_in_ini() {
    let text = "[supervisord]\nLogFlie='x'\nlog.level=1\n[programm.y]\ncommand='a'\n[DEFAULT]\nautostart=false\n\
        [program.x]\ncommand='a'\n[program]\ncommand='a'\n";
    let settings = load_toml(text).unwrap();
    assert_eq!(
        notices(&settings),
        [
            "unknown option 'logflie' in [supervisord] (/etc/x.toml:2), did you mean 'logfile'?",
            "unknown option 'log.level' in [supervisord] (/etc/x.toml:3), did you mean 'loglevel'?",
            "unknown section [programm:y] (/etc/x.toml:4), did you mean [program:y]?",
            "unknown section [DEFAULT] (/etc/x.toml:6)",
            "unknown section [program] (/etc/x.toml:10), did you mean [program:NAME]?",
        ]
    );
    assert!(settings.groups[0].processes[0].autostart, "there is no [DEFAULT] in TOML");
    assert_eq!(toml_errors_in(&text.replace("[supervisord]", "[supervisord]\nstrict=true")).len(), 5);
}

/// An array keeps its items whole, whatever they contain.
#[test]
fn items_of_arrays_are_not_split() {
    let text = "[supervisord]\n[include]\nfiles=['a b/*.toml', 'nope *']\n[program.x]\n\
        command=['/bin/sh', '-c', \"echo '%(program_name)s' 100%%\"]\nenv_file=['a,b', '-%(here)s/nope']\n\
        [group.g]\nprograms=['x', 'y,z']";
    let machine =
        Fake::toml(text).file("/etc/a b/1.toml", "[program.'y,z']\ncommand='b'").file("/etc/a,b", "A=1");
    let settings = load(Path::new(MAIN_TOML), &[], &machine).unwrap();
    let [group] = settings.groups.as_slice() else { panic!("{:?}", settings.groups) };
    let commands: Vec<_> = group.processes.iter().map(|process| process.command.as_str()).collect();
    assert_eq!(commands, ["/bin/sh -c 'echo '\\''x'\\'' 100%'", "b"]);
    assert_eq!(*group.processes[0].environment, [("A".to_owned(), "1".to_owned())]);
    let text = "No file matches via include \"/etc/nope *\"";
    assert!(notices(&settings).contains(&text), "{:?}", settings.notices);
}

#[test]
fn files_of_both_languages_include_each_other() {
    let ini = "[program:b]\nautostart=false\n[DEFAULT]\nstartsecs=7\n";
    let toml = "[program.b]\ncommand='b'\nautostart=true\n[program.a]\ncommand='%(here)s'\n";
    let from_toml = Fake::toml("[supervisord]\n[include]\nfiles=['d/*']\n")
        .file("/etc/d/1.TOML", toml)
        .file("/etc/d/2.conf", ini);
    let from_ini = Fake::main("[supervisord]\n[include]\nfiles=d/*\n")
        .file("/etc/d/1.toml", toml)
        .file("/etc/d/2.ini", ini);
    for (main, machine, namespaces) in [(MAIN_TOML, from_toml, &["supervisor"][..]), (MAIN, from_ini, &[])] {
        let settings = load(Path::new(main), &[], &machine).unwrap();
        let processes = settings.groups.iter().flat_map(|group| &group.processes);
        let shown: Vec<_> = processes.map(|it| (it.command.as_str(), it.autostart, it.start_secs)).collect();
        assert_eq!(shown, [("/etc/d", true, 7), ("b", false, 7)], "{main}");
        assert_eq!(names_of(&settings.namespaces), namespaces, "{main}");
    }
}

#[test]
fn the_interface_is_built_in_unless_one_is_named() {
    let namespaces = |text: &str| -> Vec<String> {
        let settings = load_toml(&format!("[supervisord]\n{text}")).unwrap();
        settings.namespaces.into_iter().map(|namespace| namespace.name).collect()
    };
    let factory = "supervisor.rpcinterface_factory = 'supervisor.rpcinterface:make_main_rpcinterface'";
    assert_eq!(namespaces(""), ["supervisor"]);
    assert_eq!(namespaces(&format!("[rpcinterface.x]\n{factory}")), ["x"]);
    assert_eq!(
        namespaces("[rpcinterface.x]\n'supervisor.rpcinterface_factory' = 'a:b'"),
        Vec::<String>::new()
    );
    let missing = toml_errors_in("[supervisord]\n[rpcinterface.x]");
    assert!(missing[0].contains("does not specify a supervisor.rpcinterface_factory"), "{missing:?}");
}

#[test]
fn variables_defaults_and_strictness_hold_as_in_ini() {
    let text = "[supervisord]\nstrict=true\n[program-default]\nstartsecs=5\nenvironment={A='default'}\n\
        [program.web]\ncommand=['a', 'b']\nnumprocs=2\nprocess_name='%(process_num)d'\n\
        [program.my-app]\ncommand='b'\nenvironment.A='own'\n";
    let machine = Fake::toml(text)
        .variable("SV_PROGRAM_WEB_COMMAND", "c d")
        .variable("SV_PROGRAM_WEB_NUMPROCS", "1")
        .variable("SV_SUPERVISORD_IDENTIFIER_FILE", "/run/name")
        .variable("SV_PROGRAM_NEW_COMMAND", "n")
        .file("/run/name", "secret\n");
    let settings = load(Path::new(MAIN_TOML), &[], &machine).unwrap();
    let processes = settings.groups.iter().flat_map(|group| &group.processes);
    let shown: Vec<_> = processes
        .map(|it| {
            format!("{}:{}={} {} {}", it.group, it.name, it.command, it.start_secs, it.environment[0].1)
        })
        .collect();
    assert_eq!(shown, ["my-app:my-app=b 5 own", "new:new=n 5 default", "web:0=c d 5 default"]);
    assert_eq!(settings.daemon.identifier, "secret");
    assert_eq!((settings.variables.len(), settings.notices), (4, vec![]));
}

#[test]
fn the_client_reads_its_section() {
    let text = "[supervisorctl]\nserverurl='unix://%(here)s/s'\nprompt='me'\n[[program]]\n[supervisord]\n\
        [unix_http_server]\nfile='/s'\nchmod=0o770\n";
    let machine = Fake::toml(text);
    let client = load_client(Path::new(MAIN_TOML), &machine).unwrap();
    assert_eq!((client.server_url.as_str(), client.prompt.as_str()), ("unix:///etc/s", "me"));
    let machine = Fake::toml(&text.replace("[[program]]\n", ""));
    assert_eq!(load_servers(Path::new(MAIN_TOML), &machine).unwrap()[0].address.url(), "unix:///s");
    let broken = load_client(Path::new(MAIN_TOML), &Fake::toml("[supervisorctl]\nprompt=5")).unwrap_err();
    assert!(
        broken.to_string().starts_with("'prompt' must be a text, not the integer 5 in section"),
        "{broken}"
    );
}

#[test]
fn equivalent_ini_and_toml_files_give_equal_settings() {
    let ini = "[supervisord]\n[rpcinterface:supervisor]\n\
        supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
        [program:a]\ncommand=x 'y z'\nexitcodes=0,2\numask=027\nenvironment=B=\"1\",A=\"%(here)s, b\"\n";
    let toml = "[supervisord]\n[program.a]\ncommand=['x', 'y z']\nexitcodes=[0,2]\numask=0o27\n\
        environment={B=1, A='%(here)s, b'}\n";
    assert_eq!(load_toml(toml), load_text(ini));
}

#[test]
fn no_text_makes_it_panic() {
    const LINES: [&str; 40] = [
        "[program.a]",
        "[program.'b c']",
        "[program]",
        "[[program]]",
        "[[program.a]]",
        "[group.g]",
        "[include]",
        "[unix_http_server]",
        "[inet_http_server.x]",
        "[rpcinterface.r]",
        "[program.a.environment]",
        "[x.y.z]",
        "command='a'",
        "command=['a', '%(ENV_X)s']",
        "command=5",
        "programs=['a', 'b']",
        "programs='a'",
        "numprocs=2",
        "process_name='%(process_num)d'",
        "environment={A='1', B=true}",
        "environment.A.B=1",
        "environment='A=1'",
        "files=['*']",
        "file='/x'",
        "port=1",
        "port='*:1'",
        "umask=0o22",
        "umask=22",
        "username='u'",
        "password='{SHA}'",
        "exitcodes=[0, 'a']",
        "a=1979-05-27",
        "startsecs=1.5",
        "autostart=true",
        "autorestart='unexpected'",
        "user='%(here)'",
        "\"\\u0000\"='x'",
        "# c",
        "[",
        "'''",
    ];
    let mut seed: u32 = 13;
    let mut sound = 0;
    for _ in 0..3_000 {
        let mut text = String::from("[supervisord]\n");
        for _ in 0..6 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(LINES[(seed >> 16) as usize % LINES.len()]);
            text.push('\n');
        }
        sound += usize::from(load_toml(&text).is_ok());
    }
    assert!(sound > 0);
    for deep in ["[", "{a=", "a.", "[[", "x=[", "x={a="] {
        let text = format!("[supervisord]\n{}", deep.repeat(100_000));
        assert!(load_toml(&text).is_err(), "{deep}");
    }
}

/// Random bytes, as in the test of INI.
#[test]
fn no_bytes_make_it_panic() {
    const BYTES: &[u8] = b"[]{}=.,'\"#\\ \t\r\nab019-_:+eTZxo\x00\x1b\xc3\xa9\xff";
    let mut seed: u32 = 17;
    for _ in 0..3_000 {
        let mut text = b"[a]\n".to_vec();
        for _ in 0..40 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push(BYTES[(seed >> 16) as usize % BYTES.len()]);
        }
        let mut document = Document::default();
        let file = document.add_file(Path::new("x.toml"), "/".to_owned());
        _ = parse(&text, file, &mut document);
    }
}
