//! What a method takes, and of which types that and its result are.

/// The types of parameters and results in signatures.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    String,
    Int,
    Boolean,
    Array,
    Struct,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Struct => "struct",
        }
    }
}

/// One parameter.
pub(super) struct Param {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) optional: bool,
}
