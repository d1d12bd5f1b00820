use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RequestTokenError, ResourceOwnerPassword,
    ResourceOwnerUsername, TokenResponse, TokenUrl,
};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Nobody is signed in, or not any more.
#[derive(Debug)]
pub struct SignedOut;

impl std::error::Error for SignedOut {}

impl std::fmt::Display for SignedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody is signed in")
    }
}

pub struct Session {
    url: String,
    agent: Agent,
    client: BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>,
    tokens: Mutex<Option<Arc<BasicTokenResponse>>>,
}

impl Session {
    pub fn new(url: &str) -> Result<Self> {
        // A 401 is looked at here, and a token endpoint never redirects.
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Ok(Self {
            url: url.to_owned(),
            agent: config.timeout_global(Some(Duration::from_secs(30))).build().new_agent(),
            client: BasicClient::new(ClientId::new("keyfob".into()))
                .set_token_uri(TokenUrl::new(format!("{url}/login"))?),
            tokens: Mutex::new(None),
        })
    }

    pub fn log_in(&self, username: &str, password: &str) -> Result<()> {
        let username = ResourceOwnerUsername::new(username.to_owned());
        let password = ResourceOwnerPassword::new(password.to_owned());
        let request = self.client.exchange_password(&username, &password);
        let tokens = request.request(&|request| self.carry(request))?;
        *self.lock() = Some(Arc::new(tokens));
        Ok(())
    }

    /// Sends a request, `json` being its body or empty; after a 401 one refresh and one retry.
    pub fn send(&self, method: &str, path: &str, json: &str) -> Result<Response<Body>> {
        let used = self.lock().clone().ok_or(SignedOut)?;
        let answer = self.send_with(&used, method, path, json)?;
        if answer.status() != 401 {
            return Ok(answer);
        }
        let fresh = self.refresh(&used)?;
        self.send_with(&fresh, method, path, json)
    }

    pub fn log_out(&self) -> Result<()> {
        let Some(last) = self.lock().take() else { return Ok(()) };
        let token = last.refresh_token().ok_or(SignedOut)?;
        // Not by the library, whose revocation takes HTTPS only and so fails against a service on this machine.
        let answer = self.agent.post(format!("{}/revoke", self.url)).send_form([("token", token.secret().as_str())])?;
        if answer.status() == 200 { Ok(()) } else { Err(format!("/revoke answered {}", answer.status()).into()) }
    }

    // One refresh at a time: whoever had to wait for the lock finds other tokens than those that were refused.
    fn refresh(&self, refused: &Arc<BasicTokenResponse>) -> Result<Arc<BasicTokenResponse>> {
        let mut tokens = self.lock();
        let current = tokens.clone().ok_or(SignedOut)?;
        if !Arc::ptr_eq(&current, refused) {
            return Ok(current);
        }
        let token = current.refresh_token().ok_or(SignedOut)?;
        match self.client.exchange_refresh_token(token).request(&|request| self.carry(request)) {
            Ok(fresh) => Ok(Arc::clone(tokens.insert(Arc::new(fresh)))),
            Err(RequestTokenError::ServerResponse(fault)) if *fault.error() == BasicErrorResponseType::InvalidGrant => {
                *tokens = None;
                Err(SignedOut.into())
            }
            Err(fault) => Err(fault.into()),
        }
    }

    fn send_with(&self, tokens: &BasicTokenResponse, method: &str, path: &str, json: &str) -> Result<Response<Body>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("Authorization", format!("Bearer {}", tokens.access_token().secret()));
        if json.is_empty() {
            return Ok(self.agent.run(request.body(())?)?);
        }
        Ok(self.agent.run(request.header("Content-Type", "application/json").body(json)?)?)
    }

    /// What the `oauth2` crate wants to have sent.
    fn carry(&self, request: HttpRequest) -> std::result::Result<HttpResponse, ureq::Error> {
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        Ok(HttpResponse::from_parts(parts, body.read_to_vec()?))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<BasicTokenResponse>>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
