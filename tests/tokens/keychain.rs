//! Keys as operators make them, and what other services do with published ones.

use std::io::{Write, stderr};
use std::path::Path;
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode_header};
use pem::Pem;
use serde_json::Value;

use crate::support::Home;

/// What `openssl` prints. Where there is no such program, or it does not know the option, this is said on standard error
/// and the case is left out; in the full run, which also has PostgreSQL, that is a failure.
pub fn openssl(arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl").args(arguments).stdin(Stdio::null()).output();
    let text = output.ok().filter(|output| output.status.success()).and_then(|o| String::from_utf8(o.stdout).ok());
    let text = text.filter(|text| text.contains("-----BEGIN"));
    if text.is_none() {
        let note = format!("\nLEFT OUT: openssl {}, which does not work here\n", arguments.join(" "));
        assert!(std::env::var_os("KEYFOB_TEST_DATABASE_URL").is_none(), "{note}");
        // Past the runner, which keeps the output of tests that pass to itself.
        stderr().write_all(note.as_bytes()).expect("standard error");
    }
    text
}

/// A private key that the test knows in full.
pub enum TestKey {
    EdDSA(Ed25519KeyPair, Vec<u8>),
    ES256(EcdsaKeyPair, Vec<u8>),
    RS256(RsaKeyPair, Vec<u8>),
}

impl TestKey {
    pub fn make(algorithm: &str) -> Self {
        let random = SystemRandom::new();
        match algorithm {
            "EdDSA" => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref().to_vec();
                Self::EdDSA(Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap(), pkcs8)
            }
            "ES256" => {
                let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap().as_ref().to_vec();
                Self::ES256(EcdsaKeyPair::from_pkcs8(kind, &pkcs8).unwrap(), pkcs8)
            }
            "RS256" => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                let pkcs8 = der.as_ref().to_vec();
                Self::RS256(pair, pkcs8)
            }
            other => panic!("no key pair for {other}"),
        }
    }

    /// PKCS#8 in a PEM file.
    pub fn pem(&self) -> String {
        let (Self::EdDSA(_, pkcs8) | Self::ES256(_, pkcs8) | Self::RS256(_, pkcs8)) = self;
        pem::encode(&Pem::new("PRIVATE KEY", pkcs8.clone()))
    }

    pub fn sign(&self, text: &str) -> Vec<u8> {
        let (random, bytes) = (SystemRandom::new(), text.as_bytes());
        match self {
            Self::EdDSA(pair, _) => pair.sign(bytes).as_ref().to_vec(),
            Self::ES256(pair, _) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Self::RS256(pair, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
        }
    }

    /// The public key as it is, and as `SubjectPublicKeyInfo`.
    pub fn public(&self) -> (Vec<u8>, Vec<u8>) {
        fn info(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
            key.as_der().unwrap().as_ref().to_vec()
        }
        match self {
            Self::EdDSA(pair, _) => (pair.public_key().as_ref().to_vec(), info(pair.public_key())),
            Self::ES256(pair, _) => (pair.public_key().as_ref().to_vec(), info(pair.public_key())),
            Self::RS256(pair, _) => (pair.public_key().as_ref().to_vec(), info(pair.public_key())),
        }
    }
}

/// A P-384 key in a PEM file, for which there is no algorithm here.
pub fn p384_pem() -> String {
    openssl(&["ecparam", "-genkey", "-name", "secp384r1"]).unwrap_or_else(|| {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        pem::encode(&Pem::new("PRIVATE KEY", pkcs8.as_ref().to_vec()))
    })
}

/// Surroundings with this text as `token.private_key_file`.
pub fn home_with_key_file(algorithm: &str, text: &str) -> Home {
    let mut home = Home::with(&[("token.algorithm", algorithm)]);
    home.write("key.pem", text);
    let path = home.folder().join("key.pem");
    close(&path);
    home.set("token.private_key_file", &path.to_string_lossy());
    home
}

#[cfg(unix)]
fn close(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
}

#[cfg(not(unix))]
fn close(_: &Path) {}

/// Checks an access token as another service does that has nothing but the published keys; gives the claims.
#[track_caller]
pub fn verify(token: &str, keys: &[Value]) -> Value {
    let header = decode_header(token).expect("a header");
    let key =
        keys.iter().find(|key| key["kid"] == header.kid.as_deref().expect("a kid")).expect("the key is published");
    let algorithm: Algorithm = key["alg"].as_str().expect("an alg").parse().expect("a known alg");
    let jwk: Jwk = serde_json::from_value(key.clone()).expect("a JWK");
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["keyfob"]);
    validation.set_issuer(&["http://127.0.0.1:8000"]);
    let checked = DecodingKey::from_jwk(&jwk).and_then(|key| jsonwebtoken::decode::<Value>(token, &key, &validation));
    checked.unwrap_or_else(|fault| panic!("{fault}: {token} with {key}")).claims
}

/// The thumbprint of a JWK (RFC 7638 §3), written down independently of the service.
#[track_caller]
pub fn thumbprint(jwk: &Value) -> String {
    let members: &[&str] = match jwk["kty"].as_str() {
        Some("OKP") => &["crv", "kty", "x"],
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("RSA") => &["e", "kty", "n"],
        other => panic!("an unknown kty: {other:?}"),
    };
    let pairs: Vec<_> =
        members.iter().map(|name| format!("\"{name}\":\"{}\"", jwk[name].as_str().expect("text"))).collect();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("{{{}}}", pairs.join(",")).as_bytes()))
}
