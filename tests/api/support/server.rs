//! A running service.

use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::home::{Home, signal, until};
use super::{Actor, Client, PASSWORD, SECRET};

const START_DEADLINE: Duration = Duration::from_secs(20);

/// What a process has written so far.
#[derive(Default)]
struct Output {
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

/// One process of the service, killed when dropped; as a client it is nobody.
pub struct Server {
    process: Child,
    output: Arc<Output>,
    client: Client,
    pub home: Arc<Home>,
}

impl Server {
    /// On a fresh database.
    #[track_caller]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// On a fresh database, with these settings.
    #[track_caller]
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::at(Arc::new(Home::with(settings)))
    }

    /// On a fresh database, signing with a secret that the test knows.
    #[track_caller]
    pub fn with_hs256() -> Self {
        Self::with(&[("token.algorithm", "HS256"), ("token.secret", SECRET)])
    }

    /// One more process on the same database.
    #[track_caller]
    pub fn second(&self) -> Self {
        Self::at(Arc::clone(&self.home))
    }

    /// In surroundings that a test has prepared.
    #[track_caller]
    pub fn at(home: Arc<Home>) -> Self {
        let mut process = home.command(&[]).spawn().expect("the binary starts");
        let output = Arc::new(Output::default());
        drain(process.stdout.take().expect("a pipe"), &output);
        drain(process.stderr.take().expect("a pipe"), &output);
        let mut server = Self { process, output, client: Client::new(""), home };
        server.client = Client::new(&server.wait_for_address());
        server
    }

    fn wait_for_address(&self) -> String {
        let end = Instant::now() + START_DEADLINE;
        let mut lines = self.output.lines.lock().expect("a lock");
        loop {
            if let Some(address) = lines.0.iter().find_map(|line| listening_address(line)) {
                return address;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !lines.1, "the service did not start:\n{}", lines.0.join("\n"));
            lines = self.output.changed.wait_timeout(lines, left).expect("a lock").0;
        }
    }

    /// Everything that the process has written so far, standard output and standard error. Lines come some moments after
    /// what they tell of.
    pub fn log(&self) -> Vec<String> {
        self.output.lines.lock().expect("a lock").0.clone()
    }

    /// The log with everything in it that has happened before: one more request is made, and its line waited for.
    #[track_caller]
    pub fn whole_log(&self) -> Vec<String> {
        const ID: &str = "the-log-to-here";
        let seen = || self.log().iter().filter(|line| line.contains(ID)).count();
        let before = seen();
        self.request("GET", "/healthz").header("x-request-id", ID).send().expect(200);
        until("the line of the last request", START_DEADLINE, || seen() > before);
        self.log()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Signs up an account and makes it an administrator's, as an operator would.
    #[track_caller]
    pub fn admin(&self, email: &str) -> Actor {
        self.home.run(&["user", "create", "--email", email, "--admin"], &format!("{PASSWORD}\n")).expect_success();
        self.log_in(email)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().expect("a running process");
        self.process.wait().expect("an end");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits for the end and gives the exit status.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        let process = &mut self.process;
        until("the process ends", deadline, || {
            status = process.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("an exit status")
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn drain(pipe: impl Read + Send + 'static, output: &Arc<Output>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let line = line.unwrap_or_default();
            output.lines.lock().expect("a lock").0.push(String::from_utf8_lossy(&line).into_owned());
            output.changed.notify_all();
        }
        output.lines.lock().expect("a lock").1 = true;
        output.changed.notify_all();
    });
}

/// The address in the line that says that the service listens.
fn listening_address(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let is_it = fields["message"] == "listening";
    is_it.then(|| fields["address"].as_str().expect("an address").to_owned())
}
