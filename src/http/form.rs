//! Fields of forms: queries, and bodies of type `application/x-www-form-urlencoded`.

use super::target::percent_decode;

/// The decoded fields in order. As in Supervisor, a field without a value is skipped.
pub fn form_fields(encoded: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = encoded.split('&').filter_map(|field| field.split_once('='));
    pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (decoded(name), decoded(value)))
}

fn decoded(text: &str) -> String {
    percent_decode(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_those_without_a_value_left_out() {
        for (encoded, expected) in [
            ("a=1&b=2", vec![("a", "1"), ("b", "2")]),
            ("a=1&a=2", vec![("a", "1"), ("a", "2")]),
            ("a+b=c+d%2Be%26f%3D", vec![("a b", "c d+e&f=")]),
            ("a=b=c", vec![("a", "b=c")]),
            ("w%C3%A4b=%e2%82%ac%ff%zz", vec![("w\u{e4}b", "\u{20ac}\u{fffd}%zz")]),
            ("a=&b&=c&&;", vec![("", "c")]),
            ("", vec![]),
        ] {
            let fields: Vec<_> = form_fields(encoded).collect();
            let shown: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(shown, expected, "{encoded}");
        }
    }
}
