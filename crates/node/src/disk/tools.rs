//! The host's programs that make disks and images, where they come from, and how they are run.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What a tool wrote to standard error is kept up to here; the first lines say what went wrong.
const MESSAGES_MAX: u64 = 64 * 1024;

/// A program of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
}

pub const MKE2FS: Tool = Tool { program: "mke2fs", package: "e2fsprogs" };
pub const DEBUGFS: Tool = Tool { program: "debugfs", package: "e2fsprogs" };
pub const DEBOOTSTRAP: Tool = Tool { program: "debootstrap", package: "debootstrap" };
pub const BUSYBOX: Tool = Tool { program: "busybox", package: "busybox-static" };

/// Why a tool did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{program}` is not installed: `apt-get install {package}`")]
    Missing { program: &'static str, package: &'static str },
    #[error("cannot run `{program}`")]
    Run {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` failed ({status}): {messages}")]
    Failed { program: &'static str, status: ExitStatus, messages: String },
}

impl Tool {
    /// Where it is; also looked for where administrators' programs are, which users' paths often leave out.
    pub fn find(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
        std::env::split_paths(&path)
            .chain(usual)
            .map(|directory| directory.join(self.program))
            .find(|path| is_program(path))
    }

    /// A command that speaks plain English and reads no terminal.
    pub fn command(&self) -> Result<Command, Error> {
        let path = self.find().ok_or(Error::Missing { program: self.program, package: self.package })?;
        let mut command = Command::new(path);
        command.env("LC_ALL", "C").stdin(Stdio::null());
        Ok(command)
    }

    /// Runs it to its end and gives what it wrote to standard error.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String, Error> {
        let mut command = self.command()?;
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |source| Error::Run { program: self.program, source };
        let mut child = command.spawn().map_err(failed)?;
        let mut messages = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = stderr.by_ref().take(MESSAGES_MAX).read_to_end(&mut messages);
            let _ = io::copy(&mut stderr, &mut io::sink());
        }
        let status = child.wait().map_err(failed)?;
        let messages = String::from_utf8_lossy(&messages).trim().to_owned();
        if status.success() { Ok(messages) } else { Err(Error::Failed { program: self.program, status, messages }) }
    }
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_says_which_package_has_it() {
        let tool = Tool { program: "no-such-program", package: "some-package" };
        let error = tool.run(["x"]).unwrap_err().to_string();
        assert_eq!(error, "`no-such-program` is not installed: `apt-get install some-package`");
    }

    #[test]
    fn a_failing_tool_says_what_it_said() {
        let error = MKE2FS.run(["-t", "ext4", "/nowhere/at/all"]).unwrap_err().to_string();
        assert!(error.contains("`mke2fs` failed") && error.contains("/nowhere/at/all"), "{error}");
    }
}
