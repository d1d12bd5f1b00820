//! A conversation with the mail server (RFC 5321). lettre speaks the commands; this module decides what each failure
//! means for the mail.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::message::Composed;
use crate::config::{MailSettings, SmtpSecurity, SmtpUrl};

/// A mail server, and how to talk to it.
pub(super) struct Smtp {
    url: SmtpUrl,
    tls: Option<TlsParameters>,
    hello: ClientId,
    credentials: Option<Credentials>,
    limit: Duration,
}

/// A connection that mails can be sent on.
pub(super) struct Connected(AsyncSmtpConnection);

/// Why a mail was not sent.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server will never take it.
    Refused(String),
    /// The server may take it later.
    Postponed(String),
    /// The server may have taken it, or not.
    Unclear(String),
    /// The server takes no mail from this service at all.
    Away(String),
}

impl Smtp {
    /// Reads the files that the settings name.
    pub(super) fn new(url: &SmtpUrl, mail: &MailSettings, host: &str) -> Result<Self, String> {
        let name = mail.ehlo_name.as_deref().unwrap_or(host);
        Ok(Self {
            tls: tls(url, mail)?,
            hello: match name.parse() {
                Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
                Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
                Err(_) => ClientId::Domain(name.to_owned()),
            },
            credentials: credentials(url, mail)?,
            limit: Duration::from_secs(mail.timeout_seconds),
            url: url.clone(),
        })
    }

    /// Connects, encrypts and authenticates, or says what failed and what to change.
    pub(super) async fn connect(&self) -> Result<Connected, String> {
        let step = Cell::new("connecting");
        match timeout(self.limit, self.begin(&step)).await {
            Ok(connected) => connected.map(Connected),
            Err(_) => {
                let remedy = match self.url.security {
                    SmtpSecurity::Tls => "a server that expects STARTTLS needs smtp://",
                    SmtpSecurity::StartTls | SmtpSecurity::Plain => {
                        "a server that expects TLS from the start needs smtps://"
                    }
                };
                let (server, seconds) = (format!("{}:{}", self.url.host, self.url.port), self.limit.as_secs());
                Err(format!("{} to {server}: no answer within {seconds} s; {remedy}", step.get()))
            }
        }
    }

    async fn begin(&self, step: &Cell<&'static str>) -> Result<AsyncSmtpConnection, String> {
        let server = (self.url.host.as_str(), self.url.port);
        let (at_once, later) = match self.url.security {
            SmtpSecurity::Tls => (self.tls.clone(), None),
            SmtpSecurity::StartTls => (None, self.tls.clone()),
            SmtpSecurity::Plain => (None, None),
        };
        let connected = AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, at_once, None).await;
        let mut connection = connected.map_err(|error| self.not_connected(&error))?;
        if let Some(tls) = later {
            step.set("talking STARTTLS");
            if !connection.can_starttls() {
                let remedy = "use smtps:// if it expects TLS from the start, or smtp+plain:// if it has none";
                return Err(format!("the server does not offer STARTTLS; {remedy}"));
            }
            connection.starttls(tls, &self.hello).await.map_err(|error| self.not_connected(&error))?;
        }
        if let Some(credentials) = &self.credentials {
            step.set("authenticating");
            // PLAIN first: LOGIN is obsolete, but some servers have nothing else.
            let done = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await;
            done.map_err(|error| format!("authentication: {error}; check the user name and the password"))?;
        }
        Ok(connection)
    }

    /// What failed while connecting, and what to change.
    fn not_connected(&self, error: &Error) -> String {
        // lettre repeats its own words for each layer.
        let cause = error.to_string().replace("Connection error: ", "");
        let remedy = match self.url.security {
            _ if cause.contains("not valid for name") => "; put the name in its certificate into mail.smtp_url",
            _ if cause.contains("certificate") => "; for a certificate of your own authority set mail.ca_file",
            // The server has answered in clear.
            SmtpSecurity::Tls if cause.contains("corrupt message") => "; a server that expects STARTTLS needs smtp://",
            _ => "",
        };
        format!("connecting to {}:{}: {cause}{remedy}", self.url.host, self.url.port)
    }

    /// Sends one mail.
    pub(super) async fn send(&self, connected: &mut Connected, mail: &Composed) -> Result<(), Failure> {
        // From then on the server may have the mail, whatever happens to the connection.
        let is_handed_over = Cell::new(false);
        let sending = hand_over(&mut connected.0, &mail.envelope, &mail.bytes, &is_handed_over);
        match timeout(self.limit, sending).await {
            Ok(sent) => sent,
            Err(_) => {
                let text = format!("no answer within {} s", self.limit.as_secs());
                Err(if is_handed_over.get() { Failure::Unclear(text) } else { Failure::Postponed(text) })
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(&self, mut connected: Connected) {
        let _no_answer = timeout(Duration::from_secs(1), connected.0.quit()).await;
    }
}

async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
    is_handed_over: &Cell<bool>,
) -> Result<(), Failure> {
    let parameters = parameters(connection, envelope, bytes)?;
    // A refusal of the sender concerns this service, not the mail.
    let sender = connection.command(Mail::new(envelope.from().cloned(), parameters)).await;
    sender.map_err(|error| match error.is_permanent() {
        true => {
            Failure::Away(format!("the server takes no mail from this sender: {error}; check mail.from and the user"))
        }
        false => failure(&error),
    })?;
    for recipient in envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), Vec::new())).await.map_err(|error| failure(&error))?;
    }
    connection.command(Data).await.map_err(|error| failure(&error))?;
    is_handed_over.set(true);
    connection.message(bytes).await.map(drop).map_err(|error| match error.is_permanent() || error.is_transient() {
        true => failure(&error),
        false => Failure::Unclear(error.to_string()),
    })
}

/// What the server must be told of this mail: addresses (RFC 6531) and texts (RFC 6152) that are not ASCII.
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Vec<MailParameter>, Failure> {
    let server = connection.server_info();
    let mut parameters = Vec::new();
    if envelope.to().iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Refused("the address is not in ASCII, and the server knows no SMTPUTF8".to_owned()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() && server.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

fn failure(error: &Error) -> Failure {
    match error.is_permanent() {
        true => Failure::Refused(error.to_string()),
        false => Failure::Postponed(error.to_string()),
    }
}

fn tls(url: &SmtpUrl, mail: &MailSettings) -> Result<Option<TlsParameters>, String> {
    if url.security == SmtpSecurity::Plain {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(url.host.clone());
    if mail.ca_file.is_none() && rustls_native_certs::load_native_certs().certs.is_empty() {
        let remedy = "install them (Debian: ca-certificates), or set mail.ca_file";
        return Err(format!(
            "mail.smtp_url: this system has no certificate authorities to check the server by; {remedy}"
        ));
    }
    if let Some(path) = &mail.ca_file {
        let fault = |fault: &dyn std::fmt::Display| format!("mail.ca_file {}: {fault}", path.display());
        let pem = std::fs::read(path).map_err(|error| fault(&error))?;
        let certificates = pem::parse_many(&pem).map_err(|error| fault(&error))?;
        if certificates.is_empty() {
            return Err(fault(&"holds no certificate in PEM form"));
        }
        builder = builder.certificate_store(CertificateStore::None);
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| fault(&error))?);
    }
    builder.build_rustls().map(Some).map_err(|error| format!("mail.smtp_url: {error}"))
}

fn credentials(url: &SmtpUrl, mail: &MailSettings) -> Result<Option<Credentials>, String> {
    let made =
        |user: &str, password: &SecretString| Credentials::new(user.to_owned(), password.expose_secret().to_owned());
    let (Some(user), Some(path)) = (&mail.username, &mail.password_file) else {
        return Ok(url.credentials.as_ref().map(|(user, password)| made(user, password)));
    };
    let fault = |fault: &dyn std::fmt::Display| format!("mail.password_file {}: {fault}", path.display());
    let text = SecretString::from(std::fs::read_to_string(path).map_err(|error| fault(&error))?);
    // Editors end a file with a line break.
    let password = SecretString::from(text.expose_secret().trim_end_matches(['\r', '\n']));
    if password.expose_secret().is_empty() {
        return Err(fault(&"is empty"));
    }
    Ok(Some(made(user, &password)))
}
