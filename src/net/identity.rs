//! Giving up root once the ports are bound.

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid, User};
use std::ffi::CString;
use std::fmt;
use std::path::{Path, PathBuf};

/// An account of the machine that the server is to run as.
#[derive(Clone, Debug)]
pub struct Identity {
    name: CString,
    user_id: Uid,
    group_id: Gid,
}

#[derive(Debug)]
pub enum IdentityError {
    Unknown(String),
    /// The account exists and is root, which gives nothing up.
    IsRoot(String),
    Failed(&'static str, Errno),
    /// A file that must belong to the account could not be given to it.
    Ownership(PathBuf, Errno),
    /// Root could be taken back: then it was never given up.
    Reversible,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(formatter, "this machine has no account \"{name}\" (see `user` in the configuration)")
            }
            Self::IsRoot(name) => {
                write!(formatter, "the account \"{name}\" is root itself (see `user` in the configuration)")
            }
            Self::Failed(what, errno) => write!(formatter, "{what} failed: {errno}"),
            Self::Ownership(path, errno) => {
                write!(formatter, "{} can't be given to the account: {errno}", path.display())
            }
            Self::Reversible => formatter.write_str("root could be taken back after giving it up"),
        }
    }
}

impl std::error::Error for IdentityError {}

pub fn is_root() -> bool {
    Uid::effective().is_root()
}

impl Identity {
    pub fn lookup(name: &str) -> Result<Self, IdentityError> {
        let unknown = || IdentityError::Unknown(name.to_owned());
        let found = User::from_name(name).map_err(|errno| IdentityError::Failed("looking up the account", errno))?;
        let user = found.ok_or_else(unknown)?;
        if user.uid.is_root() {
            return Err(IdentityError::IsRoot(name.to_owned()));
        }
        Ok(Self { name: CString::new(name).map_err(|_| unknown())?, user_id: user.uid, group_id: user.gid })
    }

    /// Gives one file or directory to the account: what root made before must stay usable after.
    pub fn own(&self, path: &Path) -> Result<(), IdentityError> {
        unistd::chown(path, Some(self.user_id), Some(self.group_id))
            .map_err(|errno| IdentityError::Ownership(path.to_owned(), errno))
    }

    /// For the whole process, and for good. Groups first: afterwards there is no right to change them.
    pub fn assume(&self) -> Result<(), IdentityError> {
        let failed = |what| move |errno| IdentityError::Failed(what, errno);
        unistd::initgroups(&self.name, self.group_id).map_err(failed("setting the groups"))?;
        unistd::setresgid(self.group_id, self.group_id, self.group_id).map_err(failed("setting the group"))?;
        unistd::setresuid(self.user_id, self.user_id, self.user_id).map_err(failed("setting the user"))?;
        if unistd::setuid(Uid::from_raw(0)).is_ok() {
            return Err(IdentityError::Reversible);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const CHILD: &str = "POSTHOUSE_TEST_GIVES_UP_ROOT";

    /// It holds for a whole process, so it is tried in a child; without root there is nothing to give up.
    #[test]
    fn root_is_given_up_for_good() {
        if !is_root() {
            return;
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "net::identity::tests::what_the_child_does", "--ignored"]).env(CHILD, "nobody");
        let output = child.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
    }

    #[test]
    #[ignore = "part of the test above, which runs it in a process of its own"]
    fn what_the_child_does() {
        let Ok(account) = std::env::var(CHILD) else { return };
        let directory = tempfile::tempdir().unwrap();
        let identity = Identity::lookup(&account).unwrap();
        identity.own(directory.path()).unwrap();
        identity.assume().unwrap();
        assert!(!is_root());
        assert!(unistd::setuid(Uid::from_raw(0)).is_err());
        assert_eq!(unistd::getgroups().unwrap(), [identity.group_id]);
        std::fs::write(directory.path().join("mine"), "").unwrap();
        assert!(std::fs::write("/etc/not-mine", "").is_err());
    }

    #[test]
    fn only_accounts_that_give_something_up_are_taken() {
        assert!(matches!(Identity::lookup("no-such-account-here"), Err(IdentityError::Unknown(_))));
        assert!(matches!(Identity::lookup("root"), Err(IdentityError::IsRoot(_))));
        assert!(matches!(Identity::lookup(""), Err(IdentityError::Unknown(_))));
    }
}
