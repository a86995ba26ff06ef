//! Users and groups, by name or number.

use crate::model::{SocketOwner, User, UserId};

use super::super::machine::Machine;
use super::numbers::number;

/// `user` or `user:group`.
///
/// Supervisor has no `user:group`. As numbers these need no entries in the databases: images often have none.
pub(crate) fn user(text: &str, machine: &dyn Machine) -> Result<User, String> {
    let Some((user_text, group_text)) = text.split_once(':') else { return known_user(text, machine) };
    let gid = match number(group_text) {
        Some(number) => UserId::try_from(number).map_err(|_| format!("Invalid group id {group_text}"))?,
        None => machine.group_id(group_text).ok_or_else(|| format!("Invalid group name {group_text}"))?,
    };
    let found = known_user(user_text, machine).or_else(|error| {
        let uid = number(user_text).and_then(|number| UserId::try_from(number).ok()).ok_or(error)?;
        Ok::<_, String>(nameless(uid, gid))
    });
    Ok(found?.with_group(gid))
}

/// A user that the machine knows, or ourselves.
fn known_user(text: &str, machine: &dyn Machine) -> Result<User, String> {
    match number(text) {
        Some(number) => UserId::try_from(number)
            .ok()
            .and_then(|uid| machine.user_by_id(uid).or_else(|| ourselves(uid, machine)))
            .ok_or_else(|| format!("Invalid user id {text}")),
        None => machine
            .user_by_name(text)
            .or_else(|| ourselves(ROOT, machine).filter(|_| text == "root"))
            .ok_or_else(|| format!("Invalid user name {text}")),
    }
}

const ROOT: UserId = 0;

/// COMPAT: our own user needs no entry in /etc/passwd. An image FROM scratch has no such file, and OpenShift
/// runs containers with a number that has no entry.
fn ourselves(uid: UserId, machine: &dyn Machine) -> Option<User> {
    let gid = machine.effective_group();
    (uid == machine.effective_user()).then(|| nameless(uid, gid))
}

fn nameless(uid: UserId, gid: UserId) -> User {
    User { name: uid.to_string(), uid, gid, groups: vec![gid], has_own_group: false }
}

/// `user` or `user:group`.
pub(crate) fn owner(text: &str, machine: &dyn Machine) -> Option<SocketOwner> {
    let (user_text, group_text) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let uid = user(user_text, machine).ok()?.uid;
    let gid = match group_text {
        Some(text) => Some(group(text, machine)?),
        None => None,
    };
    Some(SocketOwner { uid, gid })
}

fn group(text: &str, machine: &dyn Machine) -> Option<UserId> {
    match number(text) {
        Some(number) => UserId::try_from(number).ok().filter(|&gid| machine.group_exists(gid)),
        None => machine.group_id(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fake::Fake;
    use super::*;

    #[test]
    fn users_must_exist() {
        let machine = Fake::new();
        for text in ["www", "33", " 33 "] {
            assert_eq!(user(text, &machine).map(|user| user.name), Ok("www".to_owned()), "{text}");
        }
        for (text, expected) in [
            ("nope", "Invalid user name nope"),
            ("", "Invalid user name "),
            ("34", "Invalid user id 34"),
            ("-1", "Invalid user id -1"),
        ] {
            assert_eq!(user(text, &machine), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_group_replaces_the_primary_one() {
        let machine = Fake::new();
        for (text, uid, groups) in [
            ("www:adm", 33, vec![4, 100]),
            ("33:4", 33, vec![4, 100]),
            ("www:100", 33, vec![100]),
            ("root:adm", 0, vec![4]),
            ("1000:1000", 1000, vec![1000]),
        ] {
            let found = user(text, &machine).unwrap();
            assert_eq!((found.uid, found.gid, &found.groups), (uid, groups[0], &groups), "{text}");
            assert!(found.has_own_group);
        }
        for (text, expected) in [
            ("www:", "Invalid group name "),
            ("www:nope", "Invalid group name nope"),
            ("www:-1", "Invalid group id -1"),
            ("nope:adm", "Invalid user name nope"),
            ("-1:4", "Invalid user id -1"),
            ("", "Invalid user name "),
            (":4", "Invalid user name "),
        ] {
            assert_eq!(user(text, &machine), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn our_own_user_needs_no_passwd_entry() {
        let machine = Fake::new().run_by(1_000_620_000);
        let found = user("1000620000", &machine).unwrap();
        assert_eq!((found.uid, found.gid, found.groups), (1_000_620_000, 0, vec![0]));
        assert_eq!(user("1000620001", &machine), Err("Invalid user id 1000620001".to_owned()));
    }

    #[test]
    fn owners_are_a_user_and_maybe_a_group() {
        let machine = Fake::new();
        for (text, expected) in [
            ("www", Some((33, None))),
            ("0:adm", Some((0, Some(4)))),
            ("www:4", Some((33, Some(4)))),
            ("www:", None),
            ("www:nope", None),
            ("www:5", None),
            ("nope:4", None),
            ("", None),
        ] {
            assert_eq!(owner(text, &machine).map(|owner| (owner.uid, owner.gid)), expected, "{text}");
        }
    }
}
