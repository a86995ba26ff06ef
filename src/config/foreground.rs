//! Programs that go into the background unless they are told not to, and how each is told.

/// By the name of the executable; a version may follow it (`php-fpm8.2`).
const FOREGROUND: [(&str, &str); 24] = [
    ("apache2", "apache2ctl -DFOREGROUND"),
    ("atd", "atd -f"),
    ("cron", "cron -f"),
    ("crond", "crond -f, or -n for cronie"),
    ("dnsmasq", "dnsmasq -k"),
    ("gunicorn", "without --daemon"),
    ("haproxy", "haproxy -db"),
    ("httpd", "httpd -DFOREGROUND"),
    ("keepalived", "keepalived -n"),
    ("lighttpd", "lighttpd -D"),
    ("memcached", "without -d"),
    ("mongod", "without --fork"),
    ("mysqld", "mysqld --daemonize=OFF"),
    ("named", "named -f"),
    ("nginx", "nginx -g 'daemon off;'"),
    ("ntpd", "ntpd -n"),
    ("php-fpm", "php-fpm -F"),
    ("redis-server", "redis-server --daemonize no"),
    ("rsyslogd", "rsyslogd -n"),
    ("squid", "squid -N"),
    ("sshd", "sshd -D"),
    ("unbound", "unbound -d"),
    ("uwsgi", "without --daemonize"),
    ("varnishd", "varnishd -F"),
];

/// How a program of this name is kept in the foreground, if we know it.
#[must_use]
pub fn foreground_form(program: &str) -> Option<&'static str> {
    let is_it = |name: &str| {
        program.strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    FOREGROUND.iter().find(|(name, _)| is_it(name)).map(|(_, form)| *form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_programs_have_their_form_whatever_their_version() {
        for (program, expected) in [
            ("nginx", Some("nginx -g 'daemon off;'")),
            ("php-fpm8.2", Some("php-fpm -F")),
            ("cron", Some("cron -f")),
            ("crontab", None),
            ("my-nginx", None),
            ("", None),
        ] {
            assert_eq!(foreground_form(program), expected, "{program}");
        }
    }
}
