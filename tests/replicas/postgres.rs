//! PostgreSQL servers of the test's own.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use std::{env, process};

use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use tempfile::TempDir;

use crate::support::until;

/// Where Debian puts each version's programs.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// Of the superuser and of the service's user; no log line may hold it.
pub const DATABASE_PASSWORD: &str = "umbrella-7-lantern";
/// For a server to start, stop, recover or be copied on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(40);

/// How a server is asked to end.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Ends all sessions, then writes everything out.
    Fast,
    /// Ends at once and recovers at the next start, as after a crash.
    Immediate,
}

/// The programs, the user they run as, and a folder that this user owns.
struct Site {
    programs: PathBuf,
    user_id: u32,
    group_id: u32,
    folder: TempDir,
}

/// One server: a data folder, a port that it keeps, and a process while it runs.
pub struct Postgres {
    site: Arc<Site>,
    data: PathBuf,
    port: u16,
    process: Option<Child>,
}

/// Starts a server with an empty database `keyfob`; `None` where PostgreSQL is not installed and need not be.
pub fn start_postgres() -> Option<Postgres> {
    let Some(programs) = find_programs() else {
        let fault = format!("no PostgreSQL server under {PROGRAMS} (Debian: apt-get install postgresql)");
        assert!(env::var_os("KEYFOB_TEST_DATABASE_URL").is_none(), "{fault}");
        // Not by a macro: the test harness would keep it to itself.
        let _unseen = writeln!(std::io::stderr(), "\nLEFT OUT: tests on servers of their own: {fault}\n");
        return None;
    };
    let site = Arc::new(Site::new(programs));
    site.make_data_folder("primary");
    let mut server = Postgres::at(site, "primary");
    server.start();
    server.execute(&format!("CREATE ROLE keyfob LOGIN PASSWORD '{DATABASE_PASSWORD}'"));
    server.create_database("keyfob");
    Some(server)
}

impl Postgres {
    fn at(site: Arc<Site>, name: &str) -> Self {
        let data = site.folder.path().join(name);
        Self { site, data, port: free_port(), process: None }
    }

    /// A standby of this server, without which nothing is acknowledged from now on.
    #[track_caller]
    pub fn stand_by(&self) -> Self {
        let mut standby = Self::at(Arc::clone(&self.site), "standby");
        let source = format!("{}?application_name=standby", self.admin_url());
        self.site.run(
            "pg_basebackup",
            &["--dbname", &source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"],
            &standby.data,
        );
        standby.start();
        // After the copy was made, so that the standby does not wait for a standby when it has taken over.
        self.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        self.execute("SELECT pg_reload_conf()");
        let state = "SELECT coalesce(string_agg(sync_state, ' '), '') AS value FROM pg_stat_replication";
        until("the standby is synchronous", PATIENCE, || self.text(state) == "sync");
        standby
    }

    /// Writes are acknowledged without a standby from now on.
    #[track_caller]
    pub fn acknowledge_alone(&self) {
        self.execute("ALTER SYSTEM RESET synchronous_standby_names");
        self.execute("SELECT pg_reload_conf()");
    }

    /// Makes a standby the primary.
    #[track_caller]
    pub fn promote(&self) {
        assert_eq!(self.text("SELECT pg_promote(true, 30)::text AS value"), "true");
    }

    #[track_caller]
    pub fn start(&mut self) {
        let log_path = self.site.folder.path().join(format!("{}.log", self.port));
        let log = File::options().create(true).append(true).open(&log_path).expect("a log file");
        let mut command = self.site.command("postgres");
        command.arg("-D").arg(&self.data).args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "max_connections=60"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = command.spawn().expect("setpriv starts");
        until("PostgreSQL answers", PATIENCE, || {
            let ended = process.try_wait().expect("a child");
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(&log_path).unwrap_or_default());
            PgConnection::establish(&self.admin_url()).is_ok()
        });
        self.process = Some(process);
    }

    /// Asks the server to end, and waits until it has.
    #[track_caller]
    pub fn stop(&mut self, how: Stop) {
        let mut process = self.process.take().expect("a running server");
        signal(if matches!(how, Stop::Fast) { "INT" } else { "QUIT" }, process.id());
        until("PostgreSQL ends", PATIENCE, || process.try_wait().expect("a child").is_some());
    }

    /// SIGKILL to every process of the server, as if the machine had lost its power.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // Stopped, it neither starts new children nor takes note of dead ones, so their ids stay theirs.
        signal("STOP", process.id());
        for child in children_of(process.id()) {
            signal("KILL", child);
        }
        process.kill().expect("a running server");
        process.wait().expect("an end");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every process of the server stands still, while the system goes on to take in what is sent to them.
    pub fn freeze(&self) {
        let id = self.process.as_ref().expect("a running server").id();
        signal("STOP", id);
        for child in children_of(id) {
            signal("STOP", child);
        }
    }

    /// Goes on after `freeze`.
    pub fn thaw(&self) {
        let id = self.process.as_ref().expect("a running server").id();
        for child in children_of(id) {
            signal("CONT", child);
        }
        signal("CONT", id);
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn create_database(&self, name: &str) {
        self.execute(&format!("CREATE DATABASE {name} OWNER keyfob"));
    }

    fn admin_url(&self) -> String {
        self.admin_url_of("postgres")
    }

    fn admin_url_of(&self, database: &str) -> String {
        format!("postgres://postgres:{DATABASE_PASSWORD}@{}/{database}", self.address())
    }

    /// Puts a file into the data folder, readable by the server alone.
    pub fn write_file(&self, name: &str, text: &str) {
        let path = self.data.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its owner may");
        chown(&path, Some(self.site.user_id), Some(self.site.group_id)).expect("root, or no other user");
    }

    #[track_caller]
    pub fn execute(&self, statement: &str) {
        self.execute_in("postgres", statement);
    }

    /// Runs one statement, as the superuser.
    #[track_caller]
    pub fn execute_in(&self, database: &str, statement: &str) {
        let mut connection = PgConnection::establish(&self.admin_url_of(database)).expect("PostgreSQL answers");
        sql_query(statement).execute(&mut connection).expect("the statement");
    }

    /// The text in the column `value` of the only row.
    #[track_caller]
    pub fn text(&self, query: &str) -> String {
        self.text_in("postgres", query)
    }

    #[track_caller]
    pub fn text_in(&self, database: &str, query: &str) -> String {
        text_at(&self.admin_url_of(database), query)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What `database.url` is set to for servers at these addresses, of which the one that can be written to is used.
pub fn service_url(servers: &[&Postgres], database: &str) -> String {
    let addresses: Vec<_> = servers.iter().map(|server| server.address()).collect();
    let parameters = if servers.len() > 1 { "?target_session_attrs=read-write" } else { "" };
    format!("postgres://keyfob:{DATABASE_PASSWORD}@{}/{database}{parameters}", addresses.join(","))
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    value: String,
}

/// The text in the column `value` of the only row.
#[track_caller]
pub fn text_at(url: &str, query: &str) -> String {
    let mut connection = PgConnection::establish(url).expect("PostgreSQL answers");
    let rows: Vec<Row> = sql_query(query).load(&mut connection).expect("the query");
    assert_eq!(rows.len(), 1, "one row: {query}");
    rows.into_iter().map(|row| row.value).collect()
}

impl Site {
    fn new(programs: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("keyfob-replicas-").tempdir().expect("a temporary folder");
        let own = fs::metadata("/proc/self").expect("Linux");
        let mut site = Self { programs, user_id: own.uid(), group_id: own.gid(), folder };
        if site.user_id == 0 {
            // PostgreSQL refuses to run as root.
            let user = if id("-u", "postgres").is_some() { "postgres" } else { "nobody" };
            site.user_id = id("-u", user).expect("a user");
            site.group_id = id("-g", user).expect("a group");
            chown(site.folder.path(), Some(site.user_id), Some(site.group_id)).expect("root may");
        }
        site
    }

    fn make_data_folder(&self, name: &str) {
        let password_file = self.folder.path().join("password");
        fs::write(&password_file, DATABASE_PASSWORD).expect("a file");
        fs::set_permissions(&password_file, Permissions::from_mode(0o644)).expect("its owner may");
        let password = format!("--pwfile={}", password_file.display());
        let options =
            ["--username=postgres", "--auth=scram-sha-256", &password, "--encoding=UTF8", "--locale=C", "--no-sync"];
        self.run("initdb", &options, &self.folder.path().join(name));
    }

    /// A program, to be run as a user that is not root, and to be stopped when this process dies before it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if fs::metadata("/proc/self").expect("Linux").uid() == 0 {
            let (user, group) = (format!("--reuid={}", self.user_id), format!("--regid={}", self.group_id));
            command.args([user.as_str(), group.as_str(), "--clear-groups"]);
        }
        command.args(["--pdeathsig=QUIT", "--"]).arg(self.programs.join(program));
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        command
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str], data: &Path) {
        let output = self.command(program).arg("--pgdata").arg(data).args(arguments).output().expect("setpriv starts");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The newest version that has everything.
fn find_programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(PROGRAMS)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| ["postgres", "initdb", "pg_basebackup"].iter().all(|program| bin.join(program).exists()))
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin)
}

/// `id -u USER` or `id -g USER`.
fn id(option: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([option, user]).output().expect("id starts");
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn signal(name: &str, id: u32) {
    // A child may have ended by itself.
    let _ended = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).stderr(Stdio::null()).status();
}

/// The processes that this one started.
fn children_of(parent: u32) -> Vec<u32> {
    let processes =
        fs::read_dir("/proc").expect("Linux").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name may hold anything; after it stand the state and the parent.
        let after_name = stat.rsplit_once(')').map_or("", |(_, after)| after);
        after_name.split_whitespace().nth(1) == Some(parent.to_string().as_str())
    };
    processes.filter(is_child).collect()
}

/// A port that nobody listens on, below those that Linux gives to outgoing connections (32768 and up): a server must find
/// its port free again when it is started for the second time.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(process::id() % 1000).expect("below 1000") * 10;
    let ports = (0..10_000).map(|_| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    ports.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}
