//! Any template under any names: `config::expand` ends, within its bound, and says the truth.
//!
//! The input is text parted by NUL: the number that `process_num` stands for, the template, and then
//! variables as `NAME=value`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sv::config::expand::{EXPANDED_BYTES_MAX, ExpandError, NameValue, Names, expand};

fuzz_target!(|text: &str| {
    let mut parts = text.split('\0');
    let number = parts.next().and_then(|number| number.parse().ok()).unwrap_or(7);
    let template = parts.next().unwrap_or_default();
    let variables: Vec<_> = parts.filter_map(|pair| pair.split_once('=')).map(owned).collect();
    let outer = Names::default().with("here", NameValue::Text("/etc/sv")).with_variables(&variables);
    let names = Names::over(&outer).with("process_num", NameValue::Number(number));
    check(template, &names);
    let doubled = template.replace('%', "%%");
    assert_eq!(expand(&doubled, &names).as_deref(), Ok(template), "two signs are one");
});

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn check(template: &str, names: &Names<'_>) {
    match expand(template, names) {
        Ok(text) => {
            // What follows the last conversion comes on top.
            assert!(text.len() <= EXPANDED_BYTES_MAX + template.len(), "{} bytes", text.len());
            assert!(template.contains('%') || text == template, "it changes what has no conversion");
        }
        Err(ExpandError::UnknownName(name)) => {
            assert!(names.get(&name).is_none(), "{name} is known");
            assert!(template.contains(&format!("%({name})")), "{name} is not in the template");
        }
        Err(ExpandError::Unset { variable, message }) => {
            assert!(!message.is_empty() && template.contains(&variable));
        }
        Err(ExpandError::Malformed(why)) => assert!(!why.is_empty() && template.contains('%')),
    }
}
