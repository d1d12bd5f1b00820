//! Databases on other machines, and whether they must prove their identity.

use secrecy::ExposeSecret;

use super::{Finding, TLS_INSIDE, is_loopback, quoted};
use crate::config::values::Values;
use crate::config::{DatabaseUrl, PostgresUrl, Settings};

/// The only mode in which nothing on the network path can read along or pose as the server.
const PROVEN: &str = "verify-full";
/// An explicit `disable` says that the network is private: production accepts it, the doctor reports it.
const PLAIN: &str = "disable";

pub(super) fn unproven_servers(settings: &Settings, values: &Values) -> Vec<Finding> {
    let database = &settings.database;
    let urls = [("database.url", Some(&database.url)), ("database.read_url", database.read_url.as_ref())];
    urls.into_iter().filter_map(|(key, url)| unproven_server(key, url?, values)).collect()
}

fn unproven_server(key: &str, url: &DatabaseUrl, values: &Values) -> Option<Finding> {
    let DatabaseUrl::Postgres(url) = url else { return None };
    let url = PostgresUrl::parse(url.expose_secret()).ok()?;
    let server = remote_server(&url, values)?;
    let mode = mode(&url, values);
    if mode == PROVEN {
        return None;
    }
    let fault = match mode.as_str() {
        PLAIN => format!("{server} is another machine, and the unencrypted traffic can be read and changed on the way"),
        _ => format!("{server} is another machine, and sslmode={mode} does not verify its identity"),
    };
    let build = if cfg!(feature = "postgres-tls") { "" } else { "build with `--features postgres-tls`, and " };
    let remedy = format!(
        "{build}set sslmode=verify-full&sslrootcert=FILE in the URL; in a network of its own, production accepts \
         sslmode=disable"
    );
    let finding = Finding::new(key, fault, remedy, TLS_INSIDE);
    Some(if mode == PLAIN { finding } else { finding.refused() })
}

/// The first server that is not on this machine, in a form that is safe to show.
fn remote_server(url: &PostgresUrl<'_>, values: &Values) -> Option<String> {
    let of_process = |name: &str| values.libpq.get(name).cloned();
    let is_given = |text: &String| !text.is_empty();
    let addresses = url.parameter("hostaddr").filter(is_given);
    let hosts = url.hosts();
    if addresses.is_none() && hosts.is_none() && service(url, values).is_some() {
        return Some("the server that a service file names".to_owned());
    }
    let addresses = addresses.or_else(|| of_process("PGHOSTADDR")).unwrap_or_default();
    let hosts = hosts.or_else(|| of_process("PGHOST")).unwrap_or_default();
    // Addresses locate servers; without any, their names do.
    let servers: Vec<&str> = match addresses.is_empty() {
        true => hosts.split(',').collect(),
        false => {
            let pairs = addresses.split(',').zip(hosts.split(',').chain(std::iter::repeat("")));
            pairs.map(|(address, host)| if address.is_empty() { host } else { address }).collect()
        }
    };
    servers.into_iter().find(|server| !is_here(server)).map(quoted)
}

/// Whether libpq reaches the server without a network: a socket (a path, `@` and a name, or its default), or this
/// machine.
fn is_here(server: &str) -> bool {
    server.is_empty() || server.starts_with(['/', '@']) || server == "::1" || is_loopback(server)
}

fn service(url: &PostgresUrl<'_>, values: &Values) -> Option<String> {
    url.parameter("service").or_else(|| values.libpq.get("PGSERVICE").cloned()).filter(|name| !name.is_empty())
}

/// The TLS mode that libpq uses.
fn mode(url: &PostgresUrl<'_>, values: &Values) -> String {
    let is_given = |text: &String| !text.is_empty();
    // A service file overrides the variables, and may say anything.
    let of_process = |name: &str| values.libpq.get(name).filter(|_| service(url, values).is_none()).cloned();
    let given = url.parameter("sslmode").filter(is_given).or_else(|| of_process("PGSSLMODE").filter(is_given));
    given.unwrap_or_else(|| {
        let roots = url.parameter("sslrootcert").or_else(|| of_process("PGSSLROOTCERT"));
        let is_system = roots.is_some_and(|roots| roots == "system");
        if is_system { PROVEN.to_owned() } else { "prefer".to_owned() }
    })
}
