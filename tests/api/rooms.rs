//! The rooms of `src/` import only what stands below them, in the order that `ARCHITECTURE.md` gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::house::{Source, imports, root, sources};

/// Rooms that speak no HTTP.
const DOMAIN: [&str; 6] = ["attempts", "sessions", "clients", "accounts", "tokens", "passwords"];

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
