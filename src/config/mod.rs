//! Reading a configuration: text to settings.

pub mod ini;
