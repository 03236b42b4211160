//! Where a file operation happens: the stream, whose rights, and the path as the agent takes it.

use crate::engine::{Caller, GuestDefaults};
use crate::http::App;
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use crate::http::nullspace::sandboxes::{command, guest};
use nullspace_node::api::GuestStream;

/// An open stream and whose files it is about.
pub struct At {
    pub stream: Box<dyn GuestStream>,
    defaults: GuestDefaults,
    named_user: Option<String>,
}

/// Opens a stream for one file operation.
pub async fn open(app: &App, caller: &Caller, sandbox: &str, user: Option<String>) -> Result<At, Error> {
    let guest = guest::open(app, caller, sandbox).await?;
    Ok(At { stream: guest.stream, defaults: guest.defaults, named_user: user.filter(|user| !user.is_empty()) })
}

impl At {
    /// The user named, else the one commands run as.
    pub fn user(&self) -> Option<String> {
        self.named_user.clone().or_else(|| self.defaults.user.clone())
    }

    /// A relative path starts at the sandbox's directory, or at the home of a user who is named
    /// (which only the agent knows).
    pub fn path(&self, field: &str, path: &str) -> Result<String, Error> {
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(field, format!("`{field}` is empty or holds a NUL character")));
        }
        Ok(match self.named_user {
            Some(_) => path.to_owned(),
            None => command::absolute(Some(path), &self.defaults.cwd),
        })
    }
}

/// The subject of an operation on a path.
pub fn file(path: &str) -> Subject {
    Subject::File(path.chars().take(256).collect())
}
