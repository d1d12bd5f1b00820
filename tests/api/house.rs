//! Rules about the source that a machine can check: who may use what.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A library, and where it may be named.
const LIBRARIES: [(&str, &[&str]); 18] = [
    ("jsonwebtoken", &["tokens/jwt/"]),
    ("bcrypt", &["passwords/formats/"]),
    ("keyfob_lanes", &["passwords/compare/", "passwords/queue/"]),
    ("argon2", &["passwords/formats/"]),
    ("zxcvbn", &["passwords/choice/strength/"]),
    ("icu_normalizer", &["unicode.rs"]),
    ("idna", &["unicode.rs"]),
    ("diesel", &["db/", "store.rs"]),
    ("diesel_migrations", &["db/"]),
    ("lettre", &["mail/"]),
    ("minijinja", &["mail/templates/"]),
    ("actix_web_httpauth", &["guard/"]),
    ("config", &["config/"]),
    ("prometheus", &["metrics/"]),
    ("opentelemetry", &["traces.rs"]),
    ("opentelemetry_otlp", &["traces.rs"]),
    ("opentelemetry_sdk", &["traces.rs"]),
    ("ureq", &["cli/http.rs", "traces.rs"]),
];

/// Where, and what must not be imported there. Which rooms import which stands in `rooms.rs`.
const BARRIERS: [(&str, &[&str]); 10] = [
    ("store.rs", &["actix_web", "actix_http"]),
    ("model.rs", &["actix_web"]),
    ("routes.rs", &["diesel", "crate::db::schema", "jsonwebtoken", "bcrypt", "keyfob_lanes"]),
    ("me/", &["diesel", "crate::db::schema", "jsonwebtoken", "bcrypt", "keyfob_lanes"]),
    ("db/", &["actix_web"]),
    ("config/", &["actix_web", "diesel"]),
    ("fields/", &["actix_web"]),
    ("json.rs", &["actix_web"]),
    ("log/", &["actix_web"]),
    ("", &["lazy_static", "once_cell"]),
];

/// A source file: its path under `src/`, and its text without comments and tests.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(read_source(&path));
            }
        }
    }
    assert!(sources.len() > 10, "the scan looks in the wrong place");
    sources.retain(|source| !is_test(&source.path));
    sources
}

fn read_source(path: &Path) -> Source {
    let relative = path.strip_prefix(root().join("src")).expect("a path under src");
    let text = fs::read_to_string(path).expect("a source file");
    let code = without_tests(&text);
    let lines = code.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    Source { path: relative.to_string_lossy().replace('\\', "/"), text: lines.collect::<Vec<_>>().join("\n") }
}

/// Whether a file holds tests only: `tests.rs`, or anything in a folder `tests/`.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// The text without the items behind `#[cfg(test)]`. Such an item ends with its first line (`mod tests;`) or with the
/// closing brace in the same column, and code may follow it.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let end = line.replace("#[cfg(test)]", "}");
        let first = lines.next().unwrap_or_default();
        if first.ends_with('{') {
            lines.find(|line| *line == end);
        }
    }
    kept.join("\n")
}

/// Whether a file stands at a place: a folder, a file, or a file name in any folder; nothing is everywhere.
fn is_at(path: &str, place: &str) -> bool {
    path == place
        || place.is_empty()
        || (place.ends_with('/') && path.starts_with(place))
        || path.ends_with(&format!("/{place}"))
}

/// Every path that the `use` items of a text import, one for each leaf.
pub(super) fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices("use ") {
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let before = text[line_start..start].trim();
        if !(before.is_empty() || before.starts_with("pub")) {
            continue;
        }
        if let Some(end) = text[start..].find(';') {
            let tree: String = text[start + 4..start + end].split_whitespace().collect::<Vec<_>>().join(" ");
            expand("", &tree, &mut found);
        }
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        found.push(format!("{prefix}{}", tree.trim()));
        return;
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut depth = 0;
    let mut start = 0;
    let prefix = format!("{prefix}{}", head.trim());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = inner[start..at].trim();
                if !branch.is_empty() {
                    expand(&prefix, branch, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Whether an imported path leads into a module.
fn leads_into(import: &str, module: &str) -> bool {
    let import = import.trim_start_matches("::");
    import == module || import.starts_with(&format!("{module}::")) || import.starts_with(&format!("{module} as "))
}

/// Whether the text names a path that starts with this, imported or written out.
fn names(text: &str, module: &str) -> bool {
    let path = format!("{module}::");
    text.match_indices(&path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn the_scan_reads_use_trees() {
    let text =
        "use a::b;\npub use c::{d, e::{f, g as h}};\nuse crate::{\n    i,\n    j::*,\n};\nlet x = \"use k::l;\";";
    assert_eq!(imports(text), ["a::b", "c::d", "c::e::f", "c::e::g as h", "crate::i", "crate::j::*"]);
    assert!(leads_into("crate::j::*", "crate::j") && !leads_into("crate::jay", "crate::j"));
    assert!(names("let x = diesel::insert_into(y)", "diesel") && !names("crate::diesel::x", "diesel"));
}

#[test]
fn the_scan_reads_what_follows_a_test_module() {
    let text = "use a::b;\n#[cfg(test)]\nmod tests;\nuse c::d;\n#[cfg(test)]\nmod more {\n    use e::f;\n}\nuse g::h;";
    assert_eq!(imports(&without_tests(text)), ["a::b", "c::d", "g::h"]);
    let imported = |path: &str| {
        let source = sources().into_iter().find(|source| source.path == path);
        imports(&source.expect("the file").text)
    };
    assert!(imported("config/mod.rs").len() > 3 && imported("attempts/mod.rs").len() > 3);
}

#[test]
fn each_library_is_named_in_one_place_only() {
    let mut faults = BTreeSet::new();
    for source in sources() {
        for (library, places) in LIBRARIES {
            if places.iter().any(|place| is_at(&source.path, place)) {
                continue;
            }
            let imported = imports(&source.text).iter().any(|import| leads_into(import, library));
            // `config::` may also be the crate's own module, where that is declared or imported.
            let is_own_module = source.text.contains(&format!("mod {library};"));
            let written_out = library != "config" && names(&source.text, library);
            if (imported && !is_own_module) || written_out {
                faults.insert(format!("src/{} names {library}, which belongs to {places:?}", source.path));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_place_keeps_to_its_side_of_the_barriers() {
    let mut faults = BTreeSet::new();
    for source in sources() {
        for (place, barred) in BARRIERS.iter().filter(|(place, _)| is_at(&source.path, place)) {
            for module in *barred {
                let imported = imports(&source.text).iter().any(|import| leads_into(import, module));
                if imported || names(&source.text, module) {
                    faults.insert(format!("src/{} imports {module}, which is barred from {place:?}", source.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Not `x.rs` beside `x/`.
#[test]
fn a_module_with_a_folder_is_its_mod_rs() {
    let paths: BTreeSet<String> = sources().into_iter().map(|source| source.path).collect();
    let has_folder = |path: &&String| paths.iter().any(|other| other.starts_with(&path.replace(".rs", "/")));
    assert_eq!(paths.iter().filter(has_folder).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn the_environment_is_read_in_config_and_at_the_command_line_only() {
    let mut faults = BTreeSet::new();
    for source in sources() {
        if ["config.rs", "config/", "main.rs", "cli/"].iter().any(|place| is_at(&source.path, place)) {
            continue;
        }
        let imported = imports(&source.text).iter().any(|import| leads_into(import, "std::env"));
        if imported || names(&source.text, "std::env") {
            faults.insert(source.path);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |backend: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join("migrations").join(backend)).expect("a folder of migrations");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let sqlite = names("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, names("postgres"));
    for backend in ["sqlite", "postgres"] {
        for name in &sqlite {
            for file in ["up.sql", "down.sql"] {
                assert!(
                    root().join("migrations").join(backend).join(name).join(file).exists(),
                    "{backend}/{name}/{file}"
                );
            }
        }
    }
}

/// Whether a word can only be the name of a test: in snake case, with more underscores than any setting has.
fn is_test_name(word: &str) -> bool {
    let is_snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    word.chars().all(is_snake) && word.matches('_').count() >= 3
}

/// On the page a file comes first, then its tests, each in backticks.
#[test]
fn every_test_that_the_page_on_security_names_exists() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let (mut file, mut text) = ("", String::new());
    let (mut faults, mut count) = (BTreeSet::new(), 0);
    for word in page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
        if ["tests/", "src/", "lanes/"].iter().any(|folder| word.starts_with(folder)) {
            let path = root().join(word);
            assert!(path.exists(), "docs/security.md names {word}, which is not there");
            (file, text) = (word, fs::read_to_string(path).unwrap_or_default());
        } else if is_test_name(word) {
            count += 1;
            // Rust's, or Python's.
            if !["fn", "def"].iter().any(|begin| text.contains(&format!("{begin} {word}("))) {
                faults.insert(format!("{file}: {word}"));
            }
        }
    }
    assert!(count > 100, "the scan finds {count} names only");
    assert!(faults.is_empty(), "docs/security.md names tests that are not there: {faults:#?}");
}
