//! Seals secrets in the database under `token.key_encryption_secret`: AES-256-GCM, the key by HKDF-SHA256.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::keys::{KeyError, random_bytes};

/// Marks a sealed value and its format.
const PREFIX: &str = "sealed1:";

/// Seals and opens. Without a secret, values are stored in clear.
pub(crate) struct Seal(Option<LessSafeKey>);

impl Seal {
    /// For keys.
    pub(crate) fn new(secret: Option<&SecretString>) -> Result<Self, KeyError> {
        Self::labelled(secret, "keys in the database")
    }

    /// For values of another kind: what is sealed under one label does not open under another.
    pub(crate) fn labelled(secret: Option<&SecretString>, label: &str) -> Result<Self, KeyError> {
        secret.map(|secret| derive(secret.expose_secret().as_bytes(), label.as_bytes())).transpose().map(Self)
    }

    /// The text to store. It is bound to `name`: a value moved to another row does not open.
    pub(crate) fn close(&self, name: &str, bytes: &[u8]) -> Result<String, KeyError> {
        let Some(key) = &self.0 else { return Ok(STANDARD.encode(bytes)) };
        let nonce = random_bytes::<NONCE_LEN>()?;
        let mut sealed = bytes.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed)
            .map_err(|_| KeyError::Unusable)?;
        Ok(format!("{PREFIX}{}", STANDARD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// The bytes that were stored.
    pub(crate) fn open(&self, name: &str, text: &str) -> Result<Vec<u8>, KeyError> {
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| KeyError::Damaged);
        let Some(sealed) = text.strip_prefix(PREFIX) else { return decode(text) };
        let key = self.0.as_ref().ok_or(KeyError::Sealed)?;
        let bytes = decode(sealed)?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::Damaged)?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.open_in_place(nonce, Aad::from(name), &mut body).map_err(|_| KeyError::Sealed)?;
        Ok(opened.to_vec())
    }

    /// Whether a value is stored in clear although a secret is configured.
    pub(crate) fn wants_closing(&self, text: &str) -> bool {
        self.0.is_some() && !is_sealed(text)
    }
}

/// Whether a stored value is sealed.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

fn derive(secret: &[u8], label: &[u8]) -> Result<LessSafeKey, KeyError> {
    let unusable = |_| KeyError::Unusable;
    let extracted = Salt::new(HKDF_SHA256, b"keyfob").extract(secret);
    let info = [label];
    let key = extracted.expand(&info, &AES_256_GCM).map_err(unusable)?;
    Ok(LessSafeKey::new(UnboundKey::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &str) -> Seal {
        Seal::new(Some(&SecretString::from(secret))).expect("a seal")
    }

    #[test]
    fn what_was_sealed_opens_only_under_its_secret_and_name() {
        let text = seal("one").close("a", b"key").expect("sealed");
        assert!(!text.contains(&STANDARD.encode(b"key")));
        assert_eq!(seal("one").open("a", &text).expect("opened"), b"key");
        assert!(matches!(seal("two").open("a", &text), Err(KeyError::Sealed)));
        assert!(matches!(seal("one").open("b", &text), Err(KeyError::Sealed)));
        assert!(matches!(Seal(None).open("a", &text), Err(KeyError::Sealed)));
        let other = Seal::labelled(Some(&SecretString::from("one")), "something else").expect("a seal");
        assert!(matches!(other.open("a", &text), Err(KeyError::Sealed)));
    }

    #[test]
    fn without_a_secret_values_are_kept_in_clear_and_later_sealed() {
        let text = Seal(None).close("a", b"key").expect("kept");
        assert_eq!(seal("one").open("a", &text).expect("read"), b"key");
        assert!(seal("one").wants_closing(&text) && !Seal(None).wants_closing(&text));
    }
}
