//! A form of the type `application/x-www-form-urlencoded`, parsed as it arrives.

use percent_encoding::percent_decode;

use super::{MAX_VALUE_BYTES, OAuthForm, OVERLONG, Reader, unreadable};
use crate::oauth::error::OAuthError;

/// Longer names are unknown, even if each byte is percent-encoded as three.
const MAX_NAME_BYTES: usize = 3 * 32;

/// Rejects invalid input, which the usual parsers replace: a password must arrive unchanged.
#[derive(Default)]
pub(super) struct Urlencoded {
    reader: Reader,
    name: Vec<u8>,
    value: Vec<u8>,
    place: Place,
}

#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Name,
    Value(&'static str),
    /// In the value of an unknown parameter.
    Ignored,
}

impl Urlencoded {
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), OAuthError> {
        while let Some((first, rest)) = bytes.split_first() {
            match (self.place, first) {
                (_, b'&') => self.end_pair()?,
                (Place::Name, b'=') => self.begin_value()?,
                (Place::Name, byte) if self.name.len() < MAX_NAME_BYTES => self.name.push(*byte),
                // No more is kept than shows that the value is too long, each byte being encoded as three.
                (Place::Value(_), byte) if self.value.len() <= 3 * MAX_VALUE_BYTES => self.value.push(*byte),
                _ => {}
            }
            bytes = rest;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<OAuthForm, OAuthError> {
        self.end_pair()?;
        Ok(self.reader.form)
    }

    /// The bytes buffered for the current pair.
    #[cfg(test)]
    pub(super) const fn buffered(&self) -> usize {
        self.name.capacity() + self.value.capacity()
    }

    fn begin_value(&mut self) -> Result<(), OAuthError> {
        self.reader.count()?;
        // A name that is not UTF-8 is unknown.
        let name = decode(&self.name).ok();
        self.place = name.and_then(|name| self.reader.known(&name)).map_or(Place::Ignored, Place::Value);
        Ok(())
    }

    fn end_pair(&mut self) -> Result<(), OAuthError> {
        match self.place {
            Place::Name if self.name.is_empty() => {}
            Place::Name => self.reader.count()?,
            Place::Value(name) if self.value.len() > 3 * MAX_VALUE_BYTES => self.reader.keep(name, OVERLONG.into()),
            Place::Value(name) => self.reader.keep(name, decode(&self.value)?),
            Place::Ignored => {}
        }
        self.name.clear();
        self.value.clear();
        self.place = Place::Name;
        Ok(())
    }
}

fn decode(part: &[u8]) -> Result<String, OAuthError> {
    let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().map(String::from).map_err(|_| unreadable())
}
