//! Programs that daemonize unless an option prevents it, and the option that does.

/// When a program daemonizes, as far as its command line shows.
pub(crate) enum DaemonizesWhen {
    /// Always, except with one of these options.
    Unless(&'static [&'static str]),
    /// With one of these options.
    With(&'static [&'static str]),
    /// It depends on a configuration file or an environment variable.
    Unknown,
}

use DaemonizesWhen::{Unknown, Unless, With};

/// The name of an executable or of its init script, when it daemonizes, and how to keep it in the foreground.
const DAEMONS: [(&str, DaemonizesWhen, &str); 32] = [
    ("apache2", Unless(&["FOREGROUND", "-DFOREGROUND", "-DNO_DETACH", "-X"]), "apachectl -D FOREGROUND"),
    ("apache2ctl", Unless(&["FOREGROUND", "-DFOREGROUND"]), "apache2ctl -D FOREGROUND"),
    ("apachectl", Unless(&["FOREGROUND", "-DFOREGROUND"]), "apachectl -D FOREGROUND"),
    ("atd", Unknown, "atd -f"),
    ("cron", Unless(&["-f"]), "cron -f"),
    ("crond", Unknown, "crond -n; BusyBox: crond -f"),
    ("dnsmasq", Unknown, "dnsmasq -k"),
    ("docker", Unknown, "dockerd"),
    ("gunicorn", With(&["--daemon", "-D"]), "gunicorn without --daemon"),
    ("haproxy", With(&["-D"]), "haproxy -db"),
    ("httpd", Unknown, "httpd -D FOREGROUND; BusyBox: httpd -f"),
    ("keepalived", Unknown, "keepalived -n"),
    ("lighttpd", Unknown, "lighttpd -D"),
    ("mariadb", Unknown, "mariadbd"),
    ("memcached", With(&["-d", "--daemon"]), "memcached -u memcache"),
    ("mongod", Unknown, "mongod without --fork"),
    ("mysql", Unknown, "mysqld"),
    ("mysqld", Unknown, "mysqld --daemonize=OFF"),
    ("named", Unknown, "named -f"),
    ("nginx", Unknown, "nginx -g 'daemon off;'"),
    ("ntpd", Unknown, "ntpd -n"),
    ("php-fpm", With(&["-D", "--daemonize"]), "php-fpm -F"),
    ("postgresql", Unknown, "postgres -D DATA"),
    ("redis-server", With(&["--daemonize yes"]), "redis-server --daemonize no"),
    ("rsyslog", Unknown, "rsyslogd -n"),
    ("rsyslogd", Unknown, "rsyslogd -n"),
    ("squid", Unknown, "squid -N"),
    ("ssh", Unknown, "/usr/sbin/sshd -D"),
    ("sshd", Unless(&["-D", "-d", "-i"]), "/usr/sbin/sshd -D"),
    ("unbound", Unknown, "unbound -d"),
    ("uwsgi", With(&["--daemonize", "-d"]), "uwsgi without --daemonize"),
    ("varnishd", Unknown, "varnishd -F"),
];

/// When a program of this name daemonizes.
pub(crate) fn daemonizes_when(program: &str) -> Option<(&'static str, &'static DaemonizesWhen)> {
    DAEMONS.iter().find(|(name, ..)| *name == program).map(|(name, background, _)| (*name, background))
}

/// How a program of this name is kept in the foreground, if we know it. A version may follow the name
/// (`php-fpm8.2`) or be part of it, as in the names of Debian's init scripts (`php8.2-fpm`).
#[must_use]
pub fn foreground_form(program: &str) -> Option<&'static str> {
    let is_version = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let php = program.strip_prefix("php").and_then(|rest| rest.strip_suffix("-fpm"));
    let program = if php.is_some_and(is_version) { "php-fpm" } else { program };
    let is_it = |name: &str| program.strip_prefix(name).is_some_and(is_version);
    DAEMONS.iter().find(|(name, ..)| is_it(name)).map(|(.., form)| *form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_programs_have_their_form_whatever_their_version() {
        for (program, expected) in [
            ("nginx", Some("nginx -g 'daemon off;'")),
            ("php-fpm8.2", Some("php-fpm -F")),
            ("php8.2-fpm", Some("php-fpm -F")),
            ("cron", Some("cron -f")),
            ("httpd", Some("httpd -D FOREGROUND; BusyBox: httpd -f")),
            ("crontab", None),
            ("my-nginx", None),
            ("", None),
        ] {
            assert_eq!(foreground_form(program), expected, "{program}");
        }
    }
}
