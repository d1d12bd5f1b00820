//! Access tokens and refresh tokens.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::config::Algorithm;
use crate::db::Timestamp;
use crate::sessions::refresh_token::RefreshTokens;
use crate::tokens::AccessToken;
use crate::tokens::jwt::{CLOCK_SKEW_SECONDS, JwtKey, Refusal, check};
use crate::tokens::keys::KeyMaterial;

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "keyfob";
const NOW_SECONDS: i64 = 1_795_294_680;
/// Signs the tokens of the seeds.
const SECRET: [u8; 32] = [7; 32];

thread_local! {
    static KEYS: [JwtKey; 2] = [
        KeyMaterial::from_bytes(Algorithm::HS256, &SECRET),
        KeyMaterial::generate(Algorithm::EdDSA),
    ]
    .map(|material| JwtKey::new("kid", &material.expect("a key")).expect("a usable key"));
}

/// A token as it was sent, read as access token and as refresh token. Two lines are also read as a header and claims,
/// which are signed here to reach the code after the signature check.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(claims) = checked(text, 0) {
        let (message, signature) = text.rsplit_once('.').expect("three parts");
        assert_eq!(signature, URL_SAFE_NO_PAD.encode(sign(&Key::new(HMAC_SHA256, &SECRET), message.as_bytes())));
        is_good(&claims);
    }
    assert!(checked(text, 1).is_err(), "nobody has signed under this key");
    let tokens = RefreshTokens::new(&SECRET);
    if let Some(read) = tokens.read(text) {
        assert_eq!(tokens.write(read.session_id, read.generation, &read.secret), text);
    }
    if let Some((header, claims)) = text.split_once('\n') {
        signed(header, claims);
    }
}

fn signed(header: &str, claims: &str) {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(&Key::new(HMAC_SHA256, &SECRET), message.as_bytes());
    let Ok(read) = checked(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)), 0) else { return };
    let header: Value = serde_json::from_str(header).expect("JSON");
    let member = |name: &str| header.get(name).and_then(Value::as_str);
    assert_eq!(member("alg"), Some("HS256"));
    assert!(member("kid").is_some() && header.get("crit").is_none());
    let kind = member("typ").map(str::to_ascii_lowercase);
    assert!(matches!(kind.as_deref(), Some("at+jwt" | "application/at+jwt")), "{kind:?}");
    let sent: Value = serde_json::from_str(claims).expect("JSON");
    let written = serde_json::to_value(&read).expect("JSON");
    for (name, value) in written.as_object().expect("an object") {
        let absent = if name == "gen" { Value::from(0) } else { Value::Null };
        assert_eq!(sent.get(name).unwrap_or(&absent), value, "{name}");
    }
    is_good(&read);
}

/// Under the HS256 key (0) or the EdDSA key (1), whatever `kid` says.
fn checked(token: &str, key: usize) -> Result<AccessToken, Refusal> {
    let now = Timestamp::from_millis(NOW_SECONDS * 1000);
    KEYS.with(|keys| check(token, |_| keys.get(key), ISSUER, AUDIENCE, now))
}

fn is_good(claims: &AccessToken) {
    assert!(claims.iss == ISSUER && claims.aud.contains(AUDIENCE));
    assert!(claims.expires_at > NOW_SECONDS && claims.issued_at <= NOW_SECONDS + CLOCK_SKEW_SECONDS);
    assert!(claims.not_before.is_none_or(|start| start <= NOW_SECONDS + CLOCK_SKEW_SECONDS));
    assert!(!claims.token_id.is_empty() && !claims.client_id.is_empty());
    assert!([claims.user_id, claims.session_id].iter().all(|id| (1..1 << 53).contains(&id.get())));
}
