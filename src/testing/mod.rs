//! Code for tests and fuzzing only.

#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(test)]
pub(crate) mod properties;
