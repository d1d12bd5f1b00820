//! A folder, a database and an environment: what one test's processes share.

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::database::Database;

/// The surroundings in which the binary is started.
pub struct Home {
    // Dropped in this order: the database before the folder that holds it.
    pub database: Database,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Run {
    /// The exit status; `None` for a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Exit status 0 and nothing on standard error.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
        self.stdout
    }

    /// Exit status 1 and one line on standard error, which is the answer.
    #[track_caller]
    pub fn expect_failure(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "one line: {self:?}");
        assert!(self.stderr.ends_with('\n') && !self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }
}

impl Home {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With these settings, by their names in the configuration, such as `token.algorithm`.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::fresh(folder.path());
        let url = database.url();
        let usual = [
            ("server.bind", "127.0.0.1:0"),
            ("server.workers", "2"),
            ("database.url", url.as_str()),
            ("password.bcrypt_cost", "4"),
            ("rate_limit.enabled", "false"),
        ];
        let mut home = Self { database, folder, settings: Vec::new() };
        for (key, value) in usual.iter().chain(settings) {
            home.set(key, value);
        }
        home
    }

    /// Sets a setting in the environment of whatever is started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.set_variable(&format!("KEYFOB__{}", key.replace('.', "__").to_uppercase()), value);
    }

    /// Takes a setting out of the environment again.
    pub fn unset(&mut self, key: &str) {
        let name = format!("KEYFOB__{}", key.replace('.', "__").to_uppercase());
        self.settings.retain(|(known, _)| *known != name);
    }

    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// The current folder of what is started.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// The binary, ready to be started here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        command.args(arguments).current_dir(self.folder());
        let foreign = env::vars_os().map(|(name, _)| name);
        for name in foreign.filter(|name| name.to_string_lossy().starts_with("KEYFOB") || name == "RUST_LOG") {
            command.env_remove(name);
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, with this on standard input.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.command(arguments).spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let id = child.id();
        // A command that does not want the input may end before it is written.
        let _unread = stdin.write_all(input.as_bytes());
        drop(stdin);
        let (done, waiting) = std::sync::mpsc::channel();
        let waiter = thread::spawn(move || {
            let output = child.wait_with_output().expect("an end");
            // The test may have given up.
            let _gone = done.send(());
            output
        });
        if waiting.recv_timeout(Duration::from_mins(1)).is_err() {
            signal(id, "KILL");
            let output = waiter.join().expect("an output");
            panic!("keyfob {arguments:?} did not end: {output:?}");
        }
        let output = waiter.join().expect("an output");
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Sends a signal to a process that this test started.
pub fn signal(id: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill -{name} {id}");
}

/// Asks again and again until the answer is true; after the deadline the test has failed.
#[track_caller]
pub fn until(what: &str, deadline: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !is_so() {
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
