//! The rooms of `src/` import only what stands below them, in the order that `ARCHITECTURE.md` gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::house::{Source, imports, root, sources};

/// Rooms that speak no HTTP.
const DOMAIN: [&str; 9] =
    ["attempts", "sessions", "mail", "clients", "one_time_tokens", "accounts", "tokens", "audit", "passwords"];

/// The room of a file: its folder, or its own name.
fn room(path: &str) -> &str {
    path.split('/').next().map_or(path, |first| first.trim_end_matches(".rs"))
}

/// The level of each room, counted from the top.
fn levels() -> BTreeMap<String, usize> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    let block = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the block of rooms");
    let lines = block.lines().enumerate();
    lines.flat_map(|(level, line)| line.split(' ').map(move |room| (room.to_owned(), level))).collect()
}

/// The rooms that a file imports, its own left out.
fn imported_rooms(source: &Source) -> BTreeSet<String> {
    let paths = imports(&source.text).into_iter().filter_map(|path| Some(path.strip_prefix("crate::")?.to_owned()));
    let written_out = source.text.split("crate::").skip(1).map(str::to_owned);
    let name = |path: String| path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().map(str::to_owned);
    paths.chain(written_out).filter_map(name).filter(|name| !name.is_empty() && name != room(&source.path)).collect()
}

#[test]
fn every_room_has_its_place_on_the_page() {
    let placed: BTreeSet<String> = levels().into_keys().collect();
    let there: BTreeSet<String> = sources().iter().map(|source| room(&source.path).to_owned()).collect();
    let there: BTreeSet<String> = there.into_iter().filter(|room| room != "lib").collect();
    assert_eq!(there, placed);
}

#[test]
fn rooms_import_only_what_stands_below_them() {
    let levels = levels();
    let mut up = BTreeSet::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let from = room(&source.path);
        for to in imported_rooms(source) {
            if levels.get(&to).is_some_and(|level| *level <= levels[from]) {
                up.insert(format!("src/{} imports {to}", source.path));
            }
        }
    }
    assert!(up.is_empty(), "imports that run up or across: {up:#?}");
}

#[test]
fn the_domain_speaks_no_http() {
    let mut faults = BTreeSet::new();
    for source in sources().iter().filter(|source| DOMAIN.contains(&room(&source.path))) {
        for import in imports(&source.text) {
            if import.starts_with("actix_web") || import.starts_with("crate::http") {
                faults.insert(format!("src/{}: {import}", source.path));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// It is told the time, so that a test can be at any time, and all steps of a request at the same.
#[test]
fn the_domain_and_the_database_read_no_clock() {
    let is_told = |source: &Source| DOMAIN.contains(&room(&source.path)) || room(&source.path) == "db";
    let reads_clock = |source: &Source| source.path != "db/time.rs" && source.text.contains("Timestamp::now");
    let faults: Vec<String> = sources()
        .into_iter()
        .filter(|source| is_told(source) && reads_clock(source))
        .map(|source| source.path)
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A store speaks for the tables of its own room; others ask it.
#[test]
fn each_table_belongs_to_one_room() {
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| room(&source.path) != "db") {
        for table in imports(&source.text).iter().filter_map(|import| import.strip_prefix("crate::db::schema::")) {
            owners.entry(table.to_owned()).or_default().insert(room(&source.path).to_owned());
        }
    }
    assert!(owners.len() > 5, "the scan finds {owners:?}");
    owners.retain(|_, rooms| rooms.len() > 1);
    assert!(owners.is_empty(), "tables that several rooms name: {owners:#?}");
}

/// The modules of `src/`, and the paths from the root that each imports or writes out; libraries are left out.
fn modules() -> BTreeMap<String, BTreeSet<String>> {
    // The root, whose items are `crate::NAME`, has the empty name.
    let name =
        |path: &str| path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("lib").replace('/', "::");
    let texts: BTreeMap<_, _> = sources().into_iter().map(|source| (name(&source.path), source.text)).collect();
    let is_module = |path: &str| texts.contains_key(path);
    texts.iter().map(|(module, text)| (module.clone(), paths_in(module, text, is_module))).collect()
}

fn paths_in(module: &str, text: &str, is_module: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    let starts = text.match_indices("crate::").chain(text.match_indices("super::")).map(|(at, _)| &text[at..]);
    let written_out = starts.filter_map(|rest| rest.split(ends).next().map(str::to_owned));
    let absolute = |path: String| {
        let path = path.split(" as ").next().unwrap_or_default().trim_end_matches("::self").trim_end_matches("::");
        let (mut base, mut rest) = (module, path);
        while let Some(above) = rest.strip_prefix("super::") {
            (base, rest) = (base.rsplit_once("::").map_or("", |(above, _)| above), above);
        }
        let is_child = is_module(&join(module, rest.split("::").next().unwrap_or_default()));
        let from_root = path.strip_prefix("crate::").map(str::to_owned);
        from_root.or_else(|| (rest != path || is_child).then(|| join(base, rest)))
    };
    imports(text).into_iter().chain(written_out).filter_map(absolute).collect()
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// The module in which a path ends. What a module passes on from one below it is followed down.
fn home<'m>(path: &str, modules: &'m BTreeMap<String, BTreeSet<String>>) -> &'m str {
    let is_in = |module: &str| module.is_empty() || path == module || path.starts_with(&format!("{module}::"));
    let above = modules.iter().filter(|(module, _)| is_in(module));
    let (module, paths) = above.max_by_key(|(module, _)| module.len()).expect("the root");
    let name = format!("::{}", path.strip_prefix(module.as_str()).unwrap_or(path).trim_start_matches("::"));
    let is_below = |from: &str| from.starts_with(&join(module, "")) && from != path;
    let passed_on = |from: &&String| name != "::" && from.ends_with(&name) && is_below(from);
    paths.iter().find(passed_on).map_or(module, |from| home(from, modules))
}

/// A `mod.rs` may import the files of its folder, and they may use what stands in it.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let modules = modules();
    let needs = |(module, paths): (&'_ String, &'_ BTreeSet<String>)| {
        let homes = paths.iter().map(|path| home(path, &modules).to_owned());
        let others = homes.filter(|home| home != module && !home.starts_with(&join(module, "")));
        (module.clone(), others.collect::<BTreeSet<String>>())
    };
    let mut left: BTreeMap<String, BTreeSet<String>> = modules.iter().map(needs).collect();
    assert!(left.values().flatten().count() > 300, "the scan finds too few imports");
    // A file that needs no other, or that no other needs, is in no circle.
    loop {
        let before = left.clone();
        left.retain(|_, needed| needed.iter().any(|module| before.contains_key(module)));
        left.retain(|module, _| before.values().any(|needed| needed.contains(module)));
        if left.len() == before.len() {
            break;
        }
    }
    assert!(left.is_empty(), "files that import each other: {left:#?}");
}
