//! Tokens made or changed by hand, one thing at a time.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The secret of servers started with `Server::with_hs256`.
pub const SECRET: &str = "q4mZ1xT9-vYw7Lr2_Kc8Nd5Hb0Jf3Ga6Se";

/// Header and claims of a token, read without checking anything.
#[track_caller]
pub fn decode(token: &str) -> (Value, Value) {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a JWT has three parts: {token}");
    let read = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    (read(parts[0]), read(parts[1]))
}

/// Whole seconds since the Unix epoch.
pub fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock before the year 292 billion")
}

/// A token that is being forged.
#[derive(Clone)]
pub struct Forge {
    header: Value,
    claims: Value,
}

impl Forge {
    /// Starts from a good token.
    #[track_caller]
    pub fn of(token: &str) -> Self {
        let (header, claims) = decode(token);
        Self { header, claims }
    }

    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().expect("an object").remove(name);
        self
    }

    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("an object").remove(name);
        self
    }

    /// Signed as the server would.
    pub fn sign(&self) -> String {
        self.sign_with(hmac::HMAC_SHA256, SECRET.as_bytes())
    }

    pub fn sign_with(&self, algorithm: hmac::Algorithm, secret: &[u8]) -> String {
        sign_text(&self.header.to_string(), &self.claims.to_string(), algorithm, secret)
    }

    /// Signed as the server would, with claims that are written out by hand.
    pub fn sign_claims(&self, claims: &str) -> String {
        sign_text(&self.header.to_string(), claims, hmac::HMAC_SHA256, SECRET.as_bytes())
    }

    /// The claims as they would be signed.
    pub fn claims_text(&self) -> String {
        self.claims.to_string()
    }

    /// With this text where the signature belongs.
    pub fn unsigned(&self, signature: &str) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}.{signature}", encode(&self.header), encode(&self.claims))
    }
}

fn sign_text(header: &str, claims: &str, algorithm: hmac::Algorithm, secret: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}
