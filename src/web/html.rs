//! Text to HTML.

/// Escapes a text for HTML: for an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // HTML can't contain it, not even as a character reference.
            '\0' => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The common frame of all pages. A script, by its path, may replace the body.
pub(super) fn document(title: &str, script: Option<&str>, body: &str) -> String {
    let title = escape(title);
    let script =
        script.map(|path| format!("<script type=\"module\" src=\"{path}\"></script>\n")).unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <link href=\"stylesheets/supervisor.css\" rel=\"stylesheet\">\n\
         <link href=\"images/icon.svg\" rel=\"icon\" type=\"image/svg+xml\">\n{script}</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_means_something_to_html_is_left() {
        assert_eq!(
            escape("<b a='1' c=\"2\">&amp;\0\n"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;\u{fffd}\n"
        );
        assert_eq!(escape("w\u{e4}b \u{1f512}"), "w\u{e4}b \u{1f512}");
        assert!(
            document("</title><script>", None, "").contains("<title>&lt;/title&gt;&lt;script&gt;</title>")
        );
    }
}
