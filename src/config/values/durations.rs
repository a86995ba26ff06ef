//! Durations, fractions of a delay, counts, and schedules with their time zones.

use std::path::{Component, Path};
use std::time::Duration;

use super::super::ini::trim;
use super::super::machine::Machine;
use super::numbers::integer;
use crate::model::{RestartLimit, Zone};
use crate::python::quote;

/// More than thirty years.
const SECS_MAX: f64 = 1e9;

/// The directories with zone files.
const ZONE_FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo"];

/// A number of seconds, such as `5` or `0.5`, at least `least`.
pub(crate) fn seconds(text: &str, least: Duration) -> Result<Duration, String> {
    let bare = trim(text);
    let is_decimal =
        bare.chars().all(|c| c.is_ascii_digit() || c == '.') && bare.contains(|c: char| c.is_ascii_digit());
    let number = bare.parse::<f64>().ok().filter(|_| is_decimal);
    let number = number.ok_or_else(|| format!("not a valid number of seconds: {}", quote(text)))?;
    if number > SECS_MAX {
        return Err(format!("{bare} is above upper bound ({SECS_MAX})"));
    }
    let found = Duration::from_secs_f64(number);
    if found < least {
        return Err(format!("{bare} is below lower bound ({})", least.as_secs_f64()));
    }
    Ok(found)
}

/// A whole number, at least 1.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    match integer(text)? {
        number @ ..1 => Err(format!("{number} is below lower bound (1)")),
        number => u32::try_from(number).map_err(|_| format!("{number} is above upper bound ({})", u32::MAX)),
    }
}

/// `10%`, or `10` without the sign.
pub(crate) fn percent(text: &str) -> Result<u8, String> {
    let bare = trim(text);
    let number = integer(bare.strip_suffix('%').unwrap_or(bare)).ok();
    let number = number.and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= 100);
    number.ok_or_else(|| format!("not a percentage from 0% to 100%: {}", quote(text)))
}

/// `10/60`: restarts per seconds.
pub(crate) fn restart_limit(text: &str) -> Result<RestartLimit, String> {
    let limit = text.split_once('/').and_then(|(ends, secs)| {
        let within = seconds(secs, Duration::from_secs(1)).ok()?;
        let ends = count(ends).ok().filter(|ends| *ends <= RestartLimit::ENDS_MAX)?;
        Some(RestartLimit { ends, within })
    });
    limit.ok_or_else(|| format!("not a number of ends and one of seconds, such as 10/60: {}", quote(text)))
}

/// A time zone from the machine's zone files.
pub(crate) fn zone(name: &str, machine: &dyn Machine) -> Result<Zone, String> {
    let name = trim(name);
    if matches!(name, "UTC" | "Etc/UTC") {
        return Ok(Zone::Utc);
    }
    let is_name = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !is_name {
        return Err(format!("not the name of a time zone: {}", quote(name)));
    }
    let found = ZONE_FOLDERS.iter().find_map(|folder| machine.read(&Path::new(folder).join(name)).ok());
    match found {
        // A fake machine has an empty zone file.
        Some(data) if data.is_empty() => Ok(Zone::Utc),
        Some(data) => {
            let zone = Zone::File(data);
            let is_sound = zone.rules().is_some();
            is_sound.then_some(zone).ok_or_else(|| format!("the zone file of {} is damaged", quote(name)))
        }
        None => Err(format!(
            "time zone {} does not exist here: {} has no such file (is tzdata installed?)",
            quote(name),
            ZONE_FOLDERS[0]
        )),
    }
}

/// The local time zone: `TZ`, else /etc/localtime, else UTC.
pub(crate) fn local_zone(machine: &dyn Machine) -> Zone {
    let named = machine.environment().iter().rev().find(|(name, _)| name == "TZ").map(|(_, value)| value);
    let found = match named.map(|name| name.trim_start_matches(':')) {
        None => machine.read(Path::new("/etc/localtime")).ok().map(Zone::File),
        Some(name) => match Zone::Posix(name.to_owned()) {
            rules if rules.rules().is_some() => Some(rules),
            _ => zone(name, machine).ok(),
        },
    };
    found.filter(|zone| zone.rules().is_some()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::fake::Fake;
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction() {
        let read = |text| seconds(text, Duration::from_millis(10));
        for (text, millis) in [("5", 5000), (" 0.5 ", 500), ("1.", 1000), (".25", 250), ("0.01", 10)] {
            assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, why) in [
            ("", "not a valid number of seconds: ''"),
            (".", "not a valid number of seconds: '.'"),
            ("-1", "not a valid number of seconds: '-1'"),
            ("1e3", "not a valid number of seconds: '1e3'"),
            ("inf", "not a valid number of seconds: 'inf'"),
            ("5s", "not a valid number of seconds: '5s'"),
            ("0", "0 is below lower bound (0.01)"),
            ("1000000001", "1000000001 is above upper bound (1000000000)"),
        ] {
            assert_eq!(read(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn counts_percentages_and_limits() {
        assert_eq!((count("1"), count("0")), (Ok(1), Err("0 is below lower bound (1)".to_owned())));
        assert_eq!((percent("10%"), percent(" 0 "), percent("100 %")), (Ok(10), Ok(0), Ok(100)));
        for text in ["101%", "-1%", "%", "a", "1%%"] {
            assert_eq!(percent(text), Err(format!("not a percentage from 0% to 100%: '{text}'")));
        }
        let limit = RestartLimit { ends: 10, within: Duration::from_secs(60) };
        assert_eq!((restart_limit("10/60"), restart_limit(" 10 / 60 ")), (Ok(limit), Ok(limit)));
        for text in ["10", "0/60", "1001/60", "10/0", "10/", "a/b", "1/2/3"] {
            let why = format!("not a number of ends and one of seconds, such as 10/60: '{text}'");
            assert_eq!(restart_limit(text), Err(why));
        }
    }

    #[test]
    fn zones_are_those_of_the_machine() {
        let path = "/usr/share/zoneinfo/Europe/Berlin";
        let Ok(data) = std::fs::read(path) else { return };
        let machine = Fake::new().file(path, &data).file("/usr/share/zoneinfo/Bad", "TZif");
        assert_eq!(zone("Europe/Berlin", &machine), Ok(Zone::File(data.clone())));
        assert_eq!(zone("UTC", &machine), Ok(Zone::Utc));
        for (name, why) in [
            (
                "Europe/Berln",
                "time zone 'Europe/Berln' does not exist here: /usr/share/zoneinfo has no such file (is tzdata \
                 installed?)",
            ),
            ("../../etc/passwd", "not the name of a time zone: '../../etc/passwd'"),
            ("/etc/passwd", "not the name of a time zone: '/etc/passwd'"),
            ("", "not the name of a time zone: ''"),
            ("Bad", "the zone file of 'Bad' is damaged"),
        ] {
            assert_eq!(zone(name, &machine), Err(why.to_owned()), "{name}");
        }
        let local = |value: &str| local_zone(&Fake::new().file(path, &data).variable("TZ", value));
        assert_eq!(local("Europe/Berlin"), Zone::File(data.clone()));
        assert_eq!(local("CET-1"), Zone::Posix("CET-1".to_owned()));
        assert_eq!((local(""), local("no/where")), (Zone::Utc, Zone::Utc));
        assert_eq!(local_zone(&Fake::new().file("/etc/localtime", &data)), Zone::File(data));
        assert_eq!(local_zone(&Fake::new()), Zone::Utc);
    }
}
