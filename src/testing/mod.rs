//! What only tests and fuzzing see.

#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(test)]
pub(crate) mod properties;
