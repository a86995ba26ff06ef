//! Roles: what the clients of a control server may do.
//!
//! A server grants each client a role, and everything that a client can ask for requires one ([`Permission`]). The
//! permissions for commands are one exhaustive match ([`super::Command::permission`]), so a command without a role does
//! not compile.

use serde::{Deserialize, Serialize};

use super::UserId;

/// What a client may do. Each role includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Metrics and probes, nothing else.
    Metrics,
    /// Everything that changes nothing: states, configuration, logs, events.
    Read,
    /// Start, stop, restart and signal processes, and empty their logs.
    Operate,
    /// Everything.
    #[default]
    Admin,
}

impl Role {
    /// All names, in the order of the roles.
    pub const NAMES: &'static [&'static str] = &["metrics", "read", "operate", "admin"];

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let roles = [Self::Metrics, Self::Read, Self::Operate, Self::Admin];
        roles.into_iter().find(|role| role.name() == name)
    }

    /// What any client can do with it, for warnings about servers without a password; `None` needs no warning.
    #[must_use]
    pub fn exposes(self) -> Option<&'static str> {
        match self {
            Self::Metrics => None,
            Self::Read => Some("can see processes"),
            Self::Operate => Some("can stop programs"),
            Self::Admin => Some("can run programs"),
        }
    }

    /// The name in options and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What something requires of the client that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The least role.
    pub role: Role,
    /// Whether it shows a log, which `read_logs=false` reserves for admin.
    pub is_log: bool,
    /// What it does, after "may not": `stop processes`.
    pub what: &'static str,
}

impl Permission {
    /// Something that needs at least this role.
    #[must_use]
    pub const fn of(role: Role, what: &'static str) -> Self {
        Self { role, is_log: false, what }
    }

    /// Reading a log.
    pub const LOG: Self = Self { role: Role::Read, is_log: true, what: "read logs" };
}

/// What a server grants a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its role.
    pub role: Role,
    /// Whether a role below admin includes logs.
    pub reads_logs: bool,
}

impl Default for Grant {
    /// Everything.
    fn default() -> Self {
        Self { role: Role::Admin, reads_logs: true }
    }
}

impl Grant {
    /// Whether the client may ask for it. The error is the least role that may.
    ///
    /// # Errors
    ///
    /// The role that would be enough here.
    pub fn covers(self, permission: Permission) -> Result<(), Role> {
        let least = if permission.is_log && !self.reads_logs { Role::Admin } else { permission.role };
        if self.role >= least { Ok(()) } else { Err(least) }
    }

    /// Whether logs are included.
    #[must_use]
    pub fn includes_logs(self) -> bool {
        self.covers(Permission::LOG).is_ok()
    }

    /// Whether starting, stopping and emptying logs is.
    #[must_use]
    pub fn operates(self) -> bool {
        self.role >= Role::Operate
    }
}

/// What a server grants its clients, and by which names they may call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAccess {
    /// `role`
    pub role: Role,
    /// `role_uid`: the role of a client by its user, which overrides `role`.
    pub by_user: Vec<(UserId, Role)>,
    /// `read_logs`
    pub reads_logs: bool,
    /// The host names of a TCP server, in lower case: that of this machine, the one that it listens on, and
    /// `allowed_hosts`, or `*` if that is not set and there is a password. `.example.com` means all names below it, `*` all
    /// names.
    pub hosts: Vec<String>,
}

impl Default for ServerAccess {
    /// Everything to every client.
    fn default() -> Self {
        Self::of(Role::Admin)
    }
}

impl ServerAccess {
    /// This role for every client.
    #[must_use]
    pub fn of(role: Role) -> Self {
        Self { role, by_user: Vec::new(), reads_logs: true, hosts: Vec::new() }
    }

    /// What a client of this user has; `None` is a user that is not known.
    #[must_use]
    pub fn grant(&self, uid: Option<UserId>) -> Grant {
        let own = self.by_user.iter().find(|(user, _)| uid == Some(*user)).map(|(_, role)| *role);
        Grant { role: own.unwrap_or(self.role), reads_logs: self.reads_logs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_known_by_their_names() {
        for name in Role::NAMES {
            assert_eq!(Role::from_name(name).map(Role::name), Some(*name));
        }
        assert_eq!((Role::from_name("Admin"), Role::from_name("")), (None, None));
    }

    #[test]
    fn a_role_includes_lesser_ones_and_logs_can_be_taken_out() {
        use Role::*;
        let stop = Permission::of(Operate, "stop processes");
        for (role, reads_logs, permission, expected) in [
            (Admin, true, stop, Ok(())),
            (Operate, true, stop, Ok(())),
            (Read, true, stop, Err(Operate)),
            (Metrics, true, stop, Err(Operate)),
            (Read, true, Permission::LOG, Ok(())),
            (Metrics, true, Permission::LOG, Err(Read)),
            (Read, false, Permission::LOG, Err(Admin)),
            (Operate, false, Permission::LOG, Err(Admin)),
            (Operate, false, stop, Ok(())),
            (Admin, false, Permission::LOG, Ok(())),
        ] {
            let grant = Grant { role, reads_logs };
            assert_eq!(grant.covers(permission), expected, "{role:?} {permission:?}");
            assert_eq!(grant.operates(), grant.covers(stop).is_ok(), "{role:?}");
        }
    }

    #[test]
    fn an_entry_of_a_user_overrides_the_role() {
        let by_user = vec![(0, Role::Admin), (1000, Role::Metrics)];
        let access = ServerAccess { by_user, ..ServerAccess::of(Role::Read) };
        let role = |uid| access.grant(uid).role;
        assert_eq!([role(Some(0)), role(Some(1000)), role(Some(1001)), role(None)], {
            [Role::Admin, Role::Metrics, Role::Read, Role::Read]
        });
    }
}
