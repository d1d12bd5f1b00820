//! Values of parameters and fields.

use serde_json::json;

use crate::accounts::Email;
use crate::app::SCOPES;
use crate::db::Id;
use crate::db::page::Cursor;
use crate::fields::Field;

/// The parameter `scope`.
pub fn scope(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let asked: Vec<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
    let place = |name: &str| SCOPES.names().position(|known| known == name);
    let parsed = SCOPES.parse(text);
    assert_eq!(parsed.is_ok(), asked.iter().all(|name| place(name).is_some()));
    let Ok(set) = parsed else { return };
    assert_eq!(SCOPES.parse(set.as_str()).ok().as_ref(), Some(&set), "its own text");
    let written: Vec<&str> = set.as_str().split(' ').filter(|name| !name.is_empty()).collect();
    assert!(written.iter().all(|name| asked.contains(name)) && asked.iter().all(|name| written.contains(name)));
    assert!(written.is_sorted_by_key(|name| place(name)) && written.join(" ") == set.as_str());
    let of_user = set.intersection(&SCOPES.of_user(false));
    assert!(of_user.is_subset_of(&set) && !of_user.contains("admin"));
    assert_eq!(of_user == set, !asked.contains(&"admin"));
}

/// The parameter `cursor`, and the cursor of any number.
pub fn cursor(bytes: &[u8]) {
    let read = |text: &str| Cursor::parse_field(&json!(text)).map(|cursor| cursor.0);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(id) = read(text)
    {
        assert_eq!(Cursor(id).encode(), text, "one spelling");
        assert!((1..1 << 53).contains(&id.get()));
    }
    if let Some((number, _)) = bytes.split_first_chunk::<8>()
        && let Some(id) = Id::from_number(i64::from_le_bytes(*number))
    {
        assert_eq!(read(&Cursor(id).encode()), Ok(id));
    }
}

/// An e-mail address, and the lookup key of an account.
pub fn email(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let key = Email::key_of(text);
    assert_eq!(Email::key_of(&key), key, "the key of a key is the key");
    assert_eq!(Email::key_of(&format!(" {text}\t\n")), key, "blanks around it do not matter");
    assert!(!key.contains('\0') && key.trim() == key);
    let Ok(email) = Email::parse(text) else { return };
    assert_eq!((email.as_str(), email.key()), (text.trim(), key.clone()), "as it was signed up it is found");
    assert!(email.as_str().len() <= 254 && !email.as_str().contains(char::is_control));
    let (local, domain) = email.as_str().rsplit_once('@').expect("a local part and a domain");
    assert!(!local.is_empty() && !domain.is_empty() && !domain.contains(char::is_whitespace), "{email:?}");
    assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
    for other in [text.to_ascii_uppercase(), text.to_ascii_lowercase()] {
        let other = Email::parse(&other).expect("the same address");
        assert!(!text.is_ascii() || other.key() == key, "{other:?}");
    }
}
