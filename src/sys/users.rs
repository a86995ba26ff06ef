//! Users and groups from /etc/passwd and /etc/group: a static binary has no name service.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgid, getgroups, getuid, setgid, setgroups, setuid};

use super::files::read_file;
use crate::model::{User, UserId};

/// The maximum size of a user database.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The user database as it was read. A missing file counts as empty, as in an empty container.
#[derive(Debug, Default)]
pub struct Users {
    passwd: String,
    group: String,
    /// The stamps of both files when they were read.
    stamps: [Option<Stamp>; 2],
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Detects that a file has changed. Tools replace both files; editors may write to them in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &str) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// A line of /etc/passwd.
struct Account<'a> {
    name: &'a str,
    uid: UserId,
    gid: UserId,
    home: &'a str,
}

impl Users {
    /// Reads the files of this machine.
    #[must_use]
    pub fn read() -> Self {
        // Taken before reading: a change in between is noticed the next time.
        let stamps = [PASSWD, GROUP].map(Stamp::of);
        Self { stamps, ..Self::read_from(Path::new(PASSWD), Path::new(GROUP)) }
    }

    /// Reads the files again if they have changed since.
    pub fn refresh(&mut self) {
        if [PASSWD, GROUP].map(Stamp::of) != self.stamps {
            *self = Self::read();
        }
    }

    /// The same user with its current groups; `None` if it was removed.
    #[must_use]
    pub fn again(&self, user: &User) -> Option<User> {
        let named = self.by_name(&user.name).filter(|found| found.uid == user.uid);
        let found = named.or_else(|| self.by_id(user.uid))?;
        Some(if user.has_own_group { found.with_group(user.gid) } else { found })
    }

    fn read_from(passwd: &Path, group: &Path) -> Self {
        let text =
            |path| read_file(path, FILE_BYTES_MAX).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self {
            passwd: text(passwd).unwrap_or_default(),
            group: text(group).unwrap_or_default(),
            stamps: [None; 2],
        }
    }

    /// The user with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<User> {
        self.accounts().find(|account| account.name == name).map(|account| self.user(&account))
    }

    /// The user with this id.
    #[must_use]
    pub fn by_id(&self, uid: UserId) -> Option<User> {
        self.accounts().find(|account| account.uid == uid).map(|account| self.user(&account))
    }

    /// The home directory of a user.
    #[must_use]
    pub fn home(&self, name: &str) -> Option<PathBuf> {
        self.accounts().find(|account| account.name == name).map(|account| PathBuf::from(account.home))
    }

    /// The home directory of the user with this id.
    #[must_use]
    pub fn home_by_id(&self, uid: UserId) -> Option<PathBuf> {
        self.accounts().find(|account| account.uid == uid).map(|account| PathBuf::from(account.home))
    }

    /// The id of the group with this name.
    #[must_use]
    pub fn group_id(&self, name: &str) -> Option<UserId> {
        self.groups().find(|(known, ..)| *known == name).map(|(_, gid, _)| gid)
    }

    /// Whether there is a group with this id.
    #[must_use]
    pub fn group_exists(&self, gid: UserId) -> bool {
        self.groups().any(|(_, known, _)| known == gid)
    }

    /// The primary group comes first: some systems keep only the first few.
    fn user(&self, account: &Account<'_>) -> User {
        let is_member = |members: &str| members.split(',').any(|member| member == account.name);
        let others = self.groups().filter(|&(_, gid, members)| is_member(members) && gid != account.gid);
        let groups = [account.gid].into_iter().chain(others.map(|(_, gid, _)| gid)).collect();
        let Account { name, uid, gid, .. } = *account;
        User { name: name.to_owned(), uid, gid, groups, has_own_group: false }
    }

    fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(Account { name, uid, gid, home: fields.nth(1)? })
        })
    }

    fn groups(&self) -> impl Iterator<Item = (&str, UserId, &str)> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?, fields.nth(1)?.parse().ok()?, fields.next()?))
        })
    }
}

/// Why switching to a user failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRefused {
    /// Supervisor's words for the step that failed.
    pub text: &'static str,
    /// The error of the system call; EPERM if none was made.
    pub errno: Errno,
}

/// Switches to this user permanently. Groups first: they can't be changed after the user.
///
/// # Errors
/// The step that failed.
pub fn become_user(user: &User) -> Result<(), UserRefused> {
    if is_ours(user) {
        return Ok(());
    }
    let refused = |text| move |errno| UserRefused { text, errno };
    if !getuid().is_root() {
        return Err(refused("Can't drop privilege as nonroot user")(Errno::EPERM));
    }
    let mut groups = [Gid::from_raw(user.gid); GROUPS_MAX];
    let count = user.groups.len().min(GROUPS_MAX);
    for (slot, &gid) in groups.iter_mut().zip(&user.groups) {
        *slot = Gid::from_raw(gid);
    }
    setgroups(&groups[..count]).map_err(refused("Could not set groups of effective user"))?;
    setgid(Gid::from_raw(user.gid)).map_err(refused("Could not set group id of effective user"))?;
    setuid(Uid::from_raw(user.uid)).map_err(refused("Could not set user id of effective user"))
}

/// Whether this is our own user, so that there is nothing to switch to.
pub(super) fn is_ours(user: &User) -> bool {
    let has_group = || !user.has_own_group || getgid() == Gid::from_raw(user.gid);
    getuid() == Uid::from_raw(user.uid) && has_group()
}

/// Our user name; our number if the database has no entry.
#[must_use]
pub fn own_name() -> String {
    let uid = own_id();
    Users::read().by_id(uid).map_or_else(|| uid.to_string(), |user| user.name)
}

/// Our own user, with our groups.
#[must_use]
pub fn own_user() -> User {
    let groups = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
    User { name: own_name(), uid: own_id(), gid: getgid().as_raw(), groups, has_own_group: false }
}

/// Our user id.
#[must_use]
pub fn own_id() -> UserId {
    getuid().as_raw()
}

/// Whether we are root.
#[must_use]
pub fn is_root() -> bool {
    getuid().is_root()
}

/// The maximum number of groups of a user; the kernel's limit is 65,536, but `become_user` also runs between
/// fork and exec, where nothing can be allocated. Further groups are dropped.
const GROUPS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        Users {
            passwd:
                "root:x:0:0:root:/root:/bin/sh\nbroken\n\nwww:x:33:33::/var/www:/bin/false\nbad:x:x:1::/:/\n"
                    .to_owned(),
            group: "root:x:0:\nwww:x:33:www\ndocker:x:998:root,www\nvideo:x:44:ww,www2\n".to_owned(),
            stamps: [None; 2],
        }
    }

    #[test]
    fn users_are_found_with_all_their_groups() {
        let www = users().by_name("www").unwrap();
        assert_eq!((www.uid, www.gid, www.groups.as_slice()), (33, 33, [33, 998].as_slice()));
        assert_eq!(users().by_id(33), Some(www));
        assert_eq!(users().home("www"), Some(PathBuf::from("/var/www")));
    }

    #[test]
    fn missing_or_broken_entries_are_not_found() {
        for name in ["nobody", "broken", "bad", ""] {
            assert_eq!(users().by_name(name), None, "{name}");
        }
        assert_eq!(Users::read_from(Path::new("/nowhere"), Path::new("/nowhere")).by_id(0), None);
    }

    #[test]
    fn a_user_is_found_again_with_its_groups_of_now() {
        let mut now = users();
        let configured = now.by_name("www").unwrap();
        now.group.push_str("extra:x:50:www\n");
        assert_eq!(now.again(&configured).unwrap().groups, [33, 998, 50]);
        assert_eq!(now.again(&configured.clone().with_group(44)).unwrap().groups, [44, 998, 50]);
        // The number counts, as in Supervisor: the name may have been given to another user since.
        now.passwd = now.passwd.replace("www:x:33:33", "web:x:33:33").replace("root:x:0", "www:x:0");
        assert_eq!(now.again(&configured).unwrap().name, "web");
        now.passwd.clear();
        assert_eq!(now.again(&configured), None);
    }

    #[test]
    fn groups_are_found_by_name_and_id() {
        assert_eq!((users().group_id("docker"), users().group_id("nope")), (Some(998), None));
        assert!(users().group_exists(44) && !users().group_exists(45));
    }
}
