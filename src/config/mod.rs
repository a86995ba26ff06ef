//! Reading a configuration: text to settings.

pub mod expand;
pub mod ini;
mod quote;

pub use quote::quote;
