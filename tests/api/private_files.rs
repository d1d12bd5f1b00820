//! What the service writes to the disk is for its owner only, by whatever name it is reached.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use crate::support::{Home, Server};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// A folder for data in another one, and links that lead to it one by one: none of the files is there yet.
fn linked(home: &Home) -> [std::path::PathBuf; 3] {
    let folder = home.folder();
    fs::create_dir_all(folder.join("data")).expect("a folder");
    symlink("data/target.db", folder.join("relative.db")).expect("a link");
    symlink(folder.join("data/other.db"), folder.join("absolute.db")).expect("a link");
    symlink("../third.db", folder.join("data/inner.db")).expect("a link");
    symlink("data/inner.db", folder.join("twice.db")).expect("a link");
    ["data/target.db", "data/other.db", "third.db"].map(|name| folder.join(name))
}

#[test]
fn an_sqlite_file_behind_a_symbolic_link_is_readable_by_its_owner_only() {
    let targets = ["relative.db", "absolute.db", "twice.db"];
    for (number, link) in targets.into_iter().enumerate() {
        let home = Home::with(&[("database.url", &format!("sqlite://{link}"))]);
        let target = linked(&home)[number].clone();
        let server = Server::at(Arc::new(home));
        server.sign_up("bob@example.com");
        assert_eq!(mode(&target), 0o600, "{link}");
        for side in ["-wal", "-shm"] {
            let side = target.with_extension(format!("db{side}"));
            assert_eq!(mode(&side), 0o600, "{side:?}");
        }
    }
}

#[test]
fn a_copy_behind_a_symbolic_link_is_readable_by_its_owner_only() {
    let home = Home::with(&[("database.url", "sqlite://source.db")]);
    home.run(&["migrate"], "").expect_success();
    let targets = linked(&home);
    for (link, target) in ["relative.db", "absolute.db", "twice.db"].into_iter().zip(targets) {
        home.run(&["copy", "--to", &format!("sqlite://{link}")], "").expect_success();
        assert_eq!(mode(&target), 0o600, "{link}");
    }
}

#[test]
fn a_backup_does_not_follow_a_symbolic_link() {
    let home = Home::with(&[("database.url", "sqlite://source.db")]);
    home.run(&["migrate"], "").expect_success();
    let [target, ..] = linked(&home);
    home.run(&["backup", "relative.db"], "").expect_failure();
    assert!(!target.exists());
}

#[test]
fn links_in_a_circle_stop_the_start_with_one_line() {
    let home = Home::with(&[("database.url", "sqlite://a.db")]);
    symlink("b.db", home.folder().join("a.db")).expect("a link");
    symlink("a.db", home.folder().join("b.db")).expect("a link");
    let line = home.run(&["migrate"], "").expect_failure();
    assert!(line.contains("a.db") && line.contains("symbolic links"), "{line}");
}
