//! The rules of the code base as tests: which module may use which, where `unsafe` is allowed, names,
//! the size of the binary, and that the documents match the code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use of the crate. A commit that changes a row says why.
const MAY_USE: &[(&str, &[&str])] = &[
    // Layer 0: shared words.
    ("model", &[]),
    ("python", &[]),
    // Layer 1: pure, or without policy. No sideways imports.
    // The configuration says what a command resolves to, and lints it.
    ("launch", &["model", "python"]),
    ("config", &["launch", "model", "python"]),
    ("events", &["model", "python"]),
    ("logs", &["model", "python"]),
    ("http", &[]),
    ("notify", &["model"]),
    ("xmlrpc", &[]),
    ("sys", &["model"]),
    // Layer 2: the rules of supervision, and from one language to another.
    ("supervise", &["events", "model"]),
    ("host", &["config", "model", "sys"]),
    ("control_socket", &["model", "sys"]),
    ("rpc", &["model", "xmlrpc"]),
    ("web", &["http", "model"]),
    ("metrics", &["model"]),
    ("api", &["http", "logs", "model"]),
    ("cli", &["config", "model", "python"]),
    ("output", &["events", "logs", "model", "python", "sys"]),
    // Layer 3: they act.
    (
        "runtime",
        &[
            "api",
            "config",
            "control_socket",
            "events",
            "host",
            "http",
            "launch",
            "logs",
            "metrics",
            "model",
            "notify",
            "output",
            "python",
            "rpc",
            "supervise",
            "sys",
            "web",
            "xmlrpc",
        ],
    ),
    (
        "ctl",
        &[
            "cli",
            "config",
            "control_socket",
            "http",
            "launch",
            "logs",
            "model",
            "python",
            "rpc",
            "sys",
            "xmlrpc",
        ],
    ),
    ("inspect", &["cli", "config", "model", "python", "sys"]),
    ("pidproxy", &["model", "sys"]),
    ("print_listener", &["model"]),
    ("init", &["cli", "model", "sys"]),
    ("scaffold", &["cli", "config", "python", "sys"]),
];

/// `main.rs` blocks signals, matches on an action and does nothing else.
const MAIN_LINES_MAX: usize = 38;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read '{}': {error}", path.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The sources of both crates: this one and the one that formats lines.
fn crate_files() -> Vec<PathBuf> {
    ["src", "lines/src"].iter().flat_map(|folder| rust_files(&root().join(folder))).collect()
}

/// The module of the crate that a source file belongs to.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that a source text reaches by `crate::`, comments and documentation left out.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut used = BTreeSet::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let rest = rest.trim_start_matches('{');
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            used.insert(name);
        }
    }
    used
}

/// Makes sure that nothing gets around the authorisation.
#[test]
fn commands_and_signals_enter_the_core_through_the_door_only() {
    let enters = |file: &PathBuf| {
        let text = read(file);
        ["Input::Command", "Input::Signal"].iter().any(|input| text.contains(input))
    };
    let found: Vec<_> = rust_files(&root().join("src/runtime")).into_iter().filter(enters).collect();
    assert_eq!(found, [root().join("src/runtime/door.rs")]);
}

#[test]
fn modules_use_only_allowed_modules() {
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(allowed) = table.get(module.as_str()) else {
            wrong.push(format!("{module} has no row in the table"));
            continue;
        };
        for used in used_modules(&read(&file)) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} may not use {used}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// It is compiled for speed, so it must stay small.
#[test]
fn the_crate_of_lines_uses_little() {
    let manifest = read(&root().join("lines/Cargo.toml"));
    let dependencies = manifest.split("[dependencies]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<&str> = dependencies.lines().filter_map(|line| line.split(" = ").next()).collect();
    assert_eq!(names, ["memchr", "serde", "serde_json"]);
    for file in rust_files(&root().join("src")).iter().filter(|file| read(file).contains("sv_lines::")) {
        assert_eq!(module_of(file), "logs", "{}: the rest of the crate knows it as `logs`", file.display());
    }
}

#[test]
fn every_module_of_the_library_is_in_the_table() {
    let lib = read(&root().join("src/lib.rs"));
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let modules: BTreeSet<_> = modules.collect();
    let rows: BTreeSet<_> = MAY_USE.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules, rows);
}

/// The layer of each module, and what it may use, as a document has it: `(module, (layer, uses))`.
fn layers_in_architecture() -> BTreeMap<String, (usize, String)> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.trim_end_matches(" |").split(" | ").collect();
        let layer = cells.first()?.parse().ok()?;
        let [_, module, _, uses] = cells.as_slice() else { return None };
        Some((module.trim_matches('`').to_owned(), (layer, (*uses).to_owned())))
    });
    rows.collect()
}

#[test]
fn documents_agree_on_the_layers() {
    let layers = layers_in_architecture();
    let lib = read(&root().join("src/lib.rs"));
    let mut layer = 0;
    let mut reported = BTreeMap::new();
    for line in lib.lines().take_while(|line| line.starts_with("//!")) {
        if let Some(digit) = line.strip_prefix("//! * layer ").and_then(|rest| rest.chars().next()) {
            layer = digit.to_digit(10).unwrap() as usize;
        }
        let names = line.split("[`").skip(1).filter_map(|rest| rest.split_once("`]"));
        reported.extend(names.map(|(name, _)| (name.to_owned(), layer)));
    }
    assert!(reported.iter().eq(layers.iter().map(|(module, (layer, _))| (module, layer))));
    let below = |layer: usize| layers.iter().filter(move |(_, (other, _))| *other < layer);
    for (module, uses) in MAY_USE {
        let (layer, documented) = &layers[*module];
        assert!(uses.iter().all(|used| layers[*used].0 < *layer), "{module} uses {uses:?}");
        let documented: BTreeSet<&str> = match documented.strip_prefix("everything below except ") {
            Some(except) => below(*layer).map(|(name, _)| name.as_str()).filter(|it| *it != except).collect(),
            None => documented.split(", ").filter(|it| *it != "–").collect(),
        };
        assert_eq!(documented, uses.iter().copied().collect(), "{module} in ARCHITECTURE.md");
    }
}

/// What a text names in backticks.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// All files of the crates, by their paths below `src`; those of `lines` by their whole paths.
fn sources() -> BTreeMap<String, String> {
    let src = root().join("src");
    let scripts = fs::read_dir(src.join("web/js")).unwrap().map(|entry| entry.unwrap().path());
    let files = crate_files().into_iter().chain(scripts);
    let path =
        |file: &Path| file.strip_prefix(&src).or_else(|_| file.strip_prefix(root())).unwrap().to_owned();
    files.map(|file| (path(&file).display().to_string(), read(&file))).collect()
}

#[test]
fn architecture_names_files_functions_and_constants_that_exist() {
    let (text, sources) = (read(&root().join("ARCHITECTURE.md")), sources());
    let mut wrong = Vec::new();
    let mut named = 0;
    // `file` or `file: function`. A path may leave out the folder that the text is about.
    for name in named_in(&text).filter(|name| !name.contains('\n')) {
        let (file, function) = name.split_once(": ").map_or((name, None), |(file, it)| (file, Some(it)));
        if !(file.ends_with(".rs") || file.ends_with(".js")) {
            continue;
        }
        named += 1;
        let is_meant = |path: &&String| *path == file || path.ends_with(&format!("/{file}"));
        let found: Vec<_> = sources.keys().filter(is_meant).collect();
        let defines = |path: &&String| {
            let name = function.and_then(|it| it.rsplit("::").next()).unwrap_or_default();
            let forms = [format!("fn {name}("), format!("fn {name}<"), format!("function {name}(")];
            let types = [format!("struct {name}"), format!("enum {name}")];
            forms.iter().chain(&types).any(|form| sources[*path].contains(form))
        };
        let is_there = match function {
            Some(_) => found.iter().any(defines),
            None => !found.is_empty() || root().join(file).exists(),
        };
        if !is_there {
            wrong.push(name.to_owned());
        }
    }
    let bounds = text.split("## Bounds").nth(1).unwrap().split("\n## ").next().unwrap();
    for row in bounds.lines().filter(|line| line.starts_with("| ")) {
        let cell = row.split(" | ").nth(1).unwrap_or_default();
        let (constants, files): (Vec<_>, Vec<_>) = named_in(cell)
            .partition(|name| name.rsplit("::").next().unwrap().contains(|c: char| c.is_ascii_uppercase()));
        let files: Vec<_> = files.into_iter().filter(|name| name.contains(['/', '.'])).collect();
        for constant in constants {
            named += 1;
            let (module, name) = constant.rsplit_once("::").unwrap_or(("", constant));
            let is_meant = |path: &str| match module {
                "" => files.is_empty() || files.iter().any(|file| path.starts_with(file)),
                module => {
                    path.contains(&module.to_lowercase()) || files.iter().any(|file| path.starts_with(file))
                }
            };
            let is_defined = |(path, source): (&String, &String)| {
                is_meant(path) && source.contains(&format!("const {name}"))
            };
            if !sources.iter().any(is_defined) {
                wrong.push(constant.to_owned());
            }
        }
    }
    assert!(wrong.is_empty() && named > 150, "of {named} names these are wrong: {}", wrong.join(", "));
}

/// Files that are left out of the search for cycles: they hold a type whose methods are in other files of their folder.
const WITH_METHODS_ELSEWHERE: &[&str] = &["supervise/process.rs"];

/// The files that a file uses, of its own folder and without what the root of that folder passes on.
fn used_files(source: &str, siblings: &BTreeSet<String>) -> BTreeSet<String> {
    let code = without_texts(source.split("#[cfg(test)]\nmod tests {").next().unwrap());
    let mut used = BTreeSet::new();
    let pieces: Vec<&str> = code.split("super::").collect();
    for pair in pieces.windows(2) {
        let [before, rest] = pair else { continue };
        // `super::super::` is another folder.
        if before.is_empty() {
            continue;
        }
        // `{a::B, c::{D, E}, F}` or `a::B`
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![*rest],
        };
        let file = |name: &str| -> String {
            name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        used.extend(names.into_iter().map(file).filter(|name| siblings.contains(name)));
    }
    used
}

#[test]
fn files_of_a_folder_use_each_other_in_one_direction() {
    let mut folders: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (path, source) in sources() {
        let Some((folder, file)) = path.rsplit_once('/') else { continue };
        let Some(name) = file.strip_suffix(".rs").filter(|name| !["mod", "tests"].contains(name)) else {
            continue;
        };
        if !WITH_METHODS_ELSEWHERE.contains(&path.as_str()) {
            folders.entry(folder.to_owned()).or_default().insert(name.to_owned(), source);
        }
    }
    assert!(folders.len() > 20, "only {} folders are found", folders.len());
    for (folder, sources) in folders {
        let names: BTreeSet<String> = sources.keys().cloned().collect();
        let mut uses: BTreeMap<&String, BTreeSet<String>> =
            sources.iter().map(|(name, source)| (name, used_files(source, &names))).collect();
        // What uses nothing that is left can be in no cycle.
        while let Some(name) = uses.iter().find(|(_, used)| used.is_empty()).map(|(name, _)| *name) {
            uses.remove(name);
            uses.values_mut().for_each(|used| used.retain(|it| it != name));
        }
        assert!(uses.is_empty(), "{folder} has a cycle among {uses:?}");
    }
}

/// The compiler does not see that nobody makes a variant of a public type.
#[test]
fn the_runtime_gives_the_core_every_input() {
    let sources = sources();
    let (_, variants) = sources["supervise/input.rs"].split_once("pub enum Input {").unwrap();
    let variants: Vec<&str> = variants
        .split("\n}")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap())
        .collect();
    assert!(variants.len() > 20, "{variants:?}");
    let is_given = |name: &&&str| {
        let made = format!("Input::{name}");
        sources.iter().any(|(path, source)| path.starts_with("runtime/") && source.contains(&made))
    };
    let missing: Vec<_> = variants.iter().filter(|name| !is_given(name)).collect();
    assert!(missing.is_empty(), "nobody gives the core {missing:?}");
}

#[test]
fn unsafe_code_is_in_sys_alone_and_says_why_it_is_sound() {
    for file in crate_files() {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.contains("unsafe {") {
                continue;
            }
            let place = format!("{}:{}", file.display(), number + 1);
            assert!(file.starts_with(root().join("src/sys")), "{place}: unsafe code outside of sys");
            let before = &lines[number.saturating_sub(8)..number];
            assert!(before.iter().any(|line| line.contains("// SAFETY:")), "{place}: no SAFETY comment");
        }
    }
}

#[test]
fn main_is_short() {
    let lines = read(&root().join("src/main.rs")).lines().count();
    assert!(lines <= MAIN_LINES_MAX, "main.rs has {lines} lines");
}

/// The bytes that the static binary may have. Memory has no budget here: `make bench` compares private
/// dirty memory, and shared pages of the page cache cost nothing.
const BINARY_BYTES_MAX: u64 = 3_500_000;

/// Nothing is measured without `SV_STATIC_BIN`, which `make test` sets.
#[test]
fn the_static_binary_is_small() {
    let Some(binary) = std::env::var_os("SV_STATIC_BIN") else { return };
    let bytes = fs::metadata(&binary).unwrap().len();
    assert!(bytes <= BINARY_BYTES_MAX, "{} has {bytes} bytes", PathBuf::from(binary).display());
}

/// The names of the types that a source text defines, its unit tests left out.
fn defined_types(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let is_visibility = |word: &str| word == "pub" || word.starts_with("pub(");
    let defined = code.lines().filter_map(|line| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| is_visibility(word) || *word == "super)" || word.starts_with("crate::"));
        let keyword = words.next()?;
        let is_associated = keyword == "type" && line.starts_with(' ');
        let is_type = ["struct", "enum", "trait", "type", "union"].contains(&keyword) && !is_associated;
        let name = words.next().filter(|_| is_type)?;
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        name.starts_with(|c: char| c.is_ascii_uppercase()).then_some(name)
    });
    defined.collect()
}

#[test]
fn a_type_name_is_used_once() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in crate_files() {
        let path = file.strip_prefix(root()).unwrap().display().to_string();
        if path.contains("tests") {
            continue;
        }
        for name in defined_types(&read(&file)) {
            files.entry(name).or_default().push(path.clone());
        }
    }
    assert!(files.len() > 300, "only {} types are found", files.len());
    for (name, files) in &files {
        assert!(files.len() == 1, "'{name}' is defined in {}", files.join(" and "));
    }
}

/// Words that make names and sentences hard to understand.
const BANNED_WORDS: &[&str] = &[
    "anew",
    "births",
    "bury",
    "dawdle",
    "dawdlers",
    "deaf",
    "farewell",
    "hasten",
    "hastens",
    "mood",
    "oath",
    "patience",
    "retire",
    "stranger",
    "strangers",
    "surroundings",
    "tell",
    "tells",
    "told",
    "unfit",
    "whoever",
];

/// Where no identifier and no comment has such a word.
const PLAIN_FOLDERS: &[&str] = &["benches", "fuzz/fuzz_targets", "lines/src", "src", "tests"];

/// A source text without its comments, strings and quotation marks as characters; its lines stay where they are.
fn without_texts(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let hashes = rest.strip_prefix('r').map(|rest| rest.len() - rest.trim_start_matches('#').len());
        let is_raw = hashes.is_some_and(|hashes| rest[1 + hashes..].starts_with('"'))
            && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == 'b');
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("'\"'") {
            3
        } else if rest.starts_with("'\\\"'") {
            4
        } else if let Some(hashes) = hashes.filter(|_| is_raw) {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &rest[hashes + 2..];
            inside.find(&end).map_or(rest.len(), |at| hashes + 2 + at + end.len())
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c: char| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |at| at + 2)
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..len].chars().filter(|c| *c == '\n'));
        code.push(' ');
        rest = &rest[len..];
    }
    code
}

#[test]
fn identifiers_and_comments_are_plain() {
    let mut wrong = Vec::new();
    for file in PLAIN_FOLDERS.iter().flat_map(|folder| rust_files(&root().join(folder))) {
        let source = read(&file);
        for ((number, line), code) in source.lines().enumerate().zip(without_texts(&source).lines()) {
            let is_banned =
                |name: &&str| name.to_lowercase().split('_').any(|word| BANNED_WORDS.contains(&word));
            let is_comment = line.trim_start().starts_with("//");
            let comment = if is_comment { line.split('`').step_by(2).collect() } else { String::new() };
            let names = [code, &comment].into_iter().flat_map(|text| {
                text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>()
            });
            let banned = names.filter(|name| is_banned(&name.as_str()));
            wrong.extend(banned.map(|name| format!("{}:{}: {name}", file.display(), number + 1)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn documents_are_plain() {
    let mut wrong = Vec::new();
    for document in documents() {
        let prose = prose(&read(&root().join(&document))).to_lowercase();
        let words = prose.split(|c: char| !c.is_alphanumeric());
        wrong.extend(
            words.filter(|word| BANNED_WORDS.contains(word)).map(|word| format!("{document}: {word}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in crate_files() {
        let text = read(&file);
        assert!(text.starts_with("//!"), "{} has no module documentation", file.display());
    }
}

/// The names of all tests: functions in Rust files, `def test_…` in Python files.
fn all_tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in crate_files().into_iter().chain(rust_files(&root().join("tests"))) {
        let mut is_test = false;
        for line in read(&file).lines().map(str::trim) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                names.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
                is_test = false;
            }
        }
    }
    names
}

/// The rows of COMPAT.md: identifier, state, tests.
fn compat_rows() -> Vec<(String, String, Vec<String>)> {
    let text = read(&root().join("COMPAT.md"));
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() >= 4);
    rows.filter_map(|line| {
        let cells: Vec<&str> =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('|').trim()).collect();
        let id = cells.first()?.to_string();
        let is_row = id.contains('-') && id.chars().next()?.is_ascii_uppercase();
        let tests = cells.last()?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        is_row.then(|| (id, cells[1].to_owned(), tests))
    })
    .collect()
}

#[test]
fn every_test_that_compat_names_exists() {
    let known = all_tests();
    let rows = compat_rows();
    assert!(rows.len() > 50, "COMPAT.md has {} rows only: is its form another?", rows.len());
    let mut missing = Vec::new();
    for (id, state, tests) in rows {
        assert!(
            ["holds", "differs", "partly", "not yet"].contains(&state.as_str()),
            "{id}: '{state}' is no state"
        );
        if tests.is_empty() && state == "holds" {
            missing.push(format!("{id} holds, and no test shows it"));
        }
        missing.extend(
            tests.iter().filter(|test| !known.contains(*test)).map(|test| format!("{id}: no test {test}")),
        );
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn deliberate_differences_are_documented() {
    let reported = compat_rows().iter().filter(|(_, state, _)| state == "differs").count();
    let marked: usize = crate_files().iter().map(|file| read(file).matches("COMPAT:").count()).sum();
    assert!(marked <= reported, "{marked} differences are marked in the code, COMPAT.md has {reported}");
}

#[test]
fn the_changelog_begins_with_unreleased_or_this_version() {
    let text = read(&root().join("CHANGELOG.md"));
    let first = text.lines().find(|line| line.starts_with("## ")).unwrap_or_default();
    assert!(
        first == "## Unreleased" || first.starts_with(concat!("## ", env!("CARGO_PKG_VERSION"))),
        "'{first}' is neither"
    );
}

/// What the README may have: it says what `sv` is and where to read on.
const README_LINES_MAX: usize = 150;

#[test]
fn the_readme_is_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines: move something to a page in docs");
}

/// The documents whose links are checked, relative to the root.
fn documents() -> Vec<String> {
    let top = ["README.md", "COMPAT.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"];
    let inside = ["docs", "examples"].into_iter().flat_map(|folder| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries.map(move |entry| format!("{folder}/{}", entry.unwrap().file_name().display()))
    });
    let files = inside.map(|path| match root().join(&path).is_dir() {
        true => format!("{path}/README.md"),
        false => path,
    });
    let mut all: Vec<String> = top.map(str::to_owned).into_iter().chain(files).collect();
    all.retain(|path| path.ends_with(".md") && root().join(path).exists());
    all.sort();
    all
}

#[test]
fn no_document_has_marks_of_a_merge() {
    for document in documents() {
        let is_mark = |line: &&str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
        assert_eq!(read(&root().join(&document)).lines().find(is_mark), None, "{document}");
    }
}

/// A document without its code: blocks between fences, indented blocks, and what is between backticks.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence && !line.starts_with("    ")
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    // Code in a line of text may continue in the next line, but not in the next paragraph.
    let outside = text.split("\n\n").map(|paragraph| paragraph.split('`').step_by(2).collect::<String>());
    outside.collect::<Vec<_>>().join("\n")
}

/// The anchors of the headings of a document, in the form that GitHub and mdBook give them.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let headings = text.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    let anchor = |heading: &str| -> String {
        let name = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = name.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_in_documents_lead_somewhere() {
    let (mut links, mut wrong) = (0, Vec::new());
    for document in documents() {
        let path = root().join(&document);
        let prose = prose(&read(&path));
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_there = target.exists()
                && (anchor.is_empty() || anchors(&read(&target)).iter().any(|known| known == anchor));
            if !is_there {
                wrong.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty() && links > 100, "of {links} links these lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn the_summary_lists_every_document() {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let missing = documents().into_iter().filter(|document| {
        let link = document.strip_prefix("docs/").map_or(format!("../{document}"), str::to_owned);
        link != "SUMMARY.md" && !summary.contains(&format!("]({link})"))
    });
    let missing: Vec<String> = missing.collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {}", missing.join(", "));
}

/// Sources include texts from outside `src`, and the image is built from what its Dockerfile copies.
#[test]
fn the_dockerfile_copies_what_sources_include() {
    let dockerfile = read(&root().join("Dockerfile"));
    let copied: BTreeSet<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(str::split_whitespace)
        .collect();
    let mut outside = 0;
    for file in rust_files(&root().join("src")) {
        for part in read(&file).split("include_str!(\"").skip(1) {
            let path = file.parent().unwrap().join(part.split('"').next().unwrap()).canonicalize().unwrap();
            let top = path.strip_prefix(root().canonicalize().unwrap()).unwrap().iter().next().unwrap();
            let top = top.to_str().unwrap();
            outside += usize::from(top != "src");
            assert!(
                copied.contains(top),
                "{} includes {}, which is not copied",
                file.display(),
                path.display()
            );
        }
    }
    assert!(outside > 0, "none is looked at");
}
