//! How rows refer to their fields. Macros generate the function that sets a field and the one that compares
//! it.

use super::{DefaultValue, FieldBinding, Lands, OnUpdate, OptionDoc, Per, TakesEffect, ValueType};

/// A field of the specification.
macro_rules! field {
    ($($path:tt)+) => {
        Field {
            get: |spec| Some(spec.$($path)+.clone()),
            set: |spec, value| spec.$($path)+ = value,
            is_same: |old, new| old.$($path)+ == new.$($path)+,
        }
    };
}

/// A field whose values are keywords.
macro_rules! word {
    ($path:ident: $($value:expr),+) => {
        Field {
            get: |spec| [$($value),+].iter().position(|value| *value == spec.$path),
            set: |spec, index| spec.$path = [$($value),+][index],
            is_same: |old, new| old.$path == new.$path,
        }
    };
}

/// A field of an optional part that another option creates, with a default there.
macro_rules! part {
    ($part:ident.$field:ident) => {
        Field {
            get: |spec| spec.lifecycle.$part.as_ref().map(|part| part.$field.clone()),
            set: |spec, value| {
                if let Some(part) = &mut spec.lifecycle.$part {
                    part.$field = value;
                }
            },
            is_same: |old, new| match (&old.lifecycle.$part, &new.lifecycle.$part) {
                (Some(old), Some(new)) => old.$field == new.$field,
                _ => true,
            },
        }
    };
    ($part:ident.$field:ident: $($value:expr),+) => {
        Field {
            get: |spec| {
                let part = spec.lifecycle.$part.as_ref()?;
                [$($value),+].iter().position(|value| *value == part.$field)
            },
            set: |spec, index| {
                if let Some(part) = &mut spec.lifecycle.$part {
                    part.$field = [$($value),+][index];
                }
            },
            is_same: |old, new| match (&old.lifecycle.$part, &new.lifecycle.$part) {
                (Some(old), Some(new)) => old.$field == new.$field,
                _ => true,
            },
        }
    };
}

/// A field of an optional part that any of its options creates; `Some` if the field is optional itself.
macro_rules! making {
    ($part:ident.$field:ident $(, $some:ident)?) => {
        Field {
            get: |spec| making!(@optional spec.lifecycle.$part.as_ref().map(|part| part.$field.clone()) $(, $some)?),
            set: |spec, value| spec.lifecycle.$part.get_or_insert_default().$field = $($some)?(value),
            is_same: |old, new| {
                old.lifecycle.$part.as_ref().map(|part| &part.$field) == new.lifecycle.$part.as_ref().map(|part| &part.$field)
            },
        }
    };
    (@optional $value:expr) => {
        $value
    };
    (@optional $value:expr, Some) => {
        $value.flatten()
    };
}

/// One of the hooks.
macro_rules! hook {
    ($field:ident) => {
        Lands::Command(Field {
            get: |spec| spec.lifecycle.hooks.as_ref().and_then(|hooks| hooks.$field.clone()),
            set: |spec, command| spec.lifecycle.hooks.get_or_insert_default().$field = Some(command),
            is_same: |old, new| {
                let hook =
                    |spec: &ProcessSpec| spec.lifecycle.hooks.as_ref().and_then(|hooks| hooks.$field.clone());
                hook(old) == hook(new)
            },
        })
    };
}

/// A field that a separate reader sets.
macro_rules! own {
    ($value:ident, $($path:tt)+) => {
        Lands::Own(
            ValueType::$value,
            Field { get: |_| None, set: |_, ()| (), is_same: |old, new| old.$($path)+ == new.$($path)+ },
            |spec| OwnField::text(&spec.$($path)+),
        )
    };
}

/// An option with a field: read once per program or for each process.
pub(super) const fn row(
    name: &'static str,
    field_ref: Lands,
    default: DefaultValue,
    (per, update): (Per, OnUpdate),
    test: &'static str,
    doc: &'static str,
) -> OptionDoc {
    OptionDoc {
        name,
        value: field_ref.value(),
        default,
        change: TakesEffect::Update(update),
        since: None,
        doc,
        binding: Some(FieldBinding { field_ref, per, update, test }),
    }
}

/// An option without a field of its own in [`ProcessSpec`]: one of another section; or it determines which processes exist, or
/// the value of a field of another option.
pub(crate) const fn beside(
    name: &'static str,
    value: ValueType,
    default: DefaultValue,
    change: TakesEffect,
    doc: &'static str,
) -> OptionDoc {
    OptionDoc { name, value, default, change, since: None, doc, binding: None }
}
