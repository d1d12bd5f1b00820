//! `keyfob login`

use serde_json::Value;

use super::http::Service;
use super::stdin::{self, read_line};
use super::{CommandError, print};
use crate::config::Settings;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob login --email mia@example.com
  TOKEN=$(keyfob login --email mia@example.com --token-only <password.txt)
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8000/me
  keyfob login --url https://id.example.com --email mia@example.com --scope profile")]
pub(super) struct Login {
    /// The URL of the service; token.issuer if absent
    #[arg(long)]
    url: Option<String>,
    /// The e-mail address; prompted for on a terminal if absent
    #[arg(long)]
    email: Option<String>,
    /// The scopes to request, space-separated; all that the account may have if absent
    #[arg(long)]
    scope: Option<String>,
    /// Print only the access token, not the whole response with the refresh token
    #[arg(long)]
    token_only: bool,
    /// Allow sending the password to another machine over plain HTTP
    #[arg(long)]
    plain_http: bool,
}

pub(super) fn login(login: &Login, settings: &Settings) -> Result<(), CommandError> {
    let service = Service::at(login.url.as_deref().unwrap_or(&settings.token.issuer))?;
    let refused = |message: &str| Err(CommandError::Refused(message.to_owned()));
    if !service.is_private() && !login.plain_http {
        return refused("the password would be sent unencrypted; use an https:// URL, or pass --plain-http");
    }
    let email = match &login.email {
        Some(email) => email.clone(),
        None if stdin::is_terminal() => read_line("E-mail: ", false)?,
        None => return refused("--email is missing"),
    };
    let password = read_line("Password: ", true)?;

    let mut form = vec![("grant_type", "password"), ("username", &email), ("password", &password)];
    form.extend(login.scope.as_deref().map(|scope| ("scope", scope)));
    let answer = service.post_form("/login", &form)?;
    let text = |name: &str| answer.body.get(name).and_then(Value::as_str);
    match (answer.status, text("access_token"), text("error")) {
        (200, Some(token), _) if login.token_only => print(token),
        (200, Some(_), _) => print(&answer.body.to_string()),
        (_, _, Some(error)) => refused(&format!("{error}: {}", text("error_description").unwrap_or("no description"))),
        (status, ..) => refused(&format!("{}/login answered {status}: check the URL", service.url())),
    }
}
