//! The build machine: boots on the base, carries out work through its agent, and gives its disk back
//! layer by layer.
//!
//! This is where steps run. Another way of running them would take the place of `perform` and
//! `checkpoint`; what surrounds them (keys, layers, events) does not know a machine.

use super::error::Error;
use super::output::{Output, Stream};
use super::report::{Phase, Report};
use super::site::Site;
use super::trust;
use super::work::{Command, Program, Work};
use super::{files, layers::LayerId};
use crate::driver::{self, Boot, Machine};
use nullspace_guest::client::{self, Event};
use nullspace_guest::link::{Link, Stream as GuestStream};
use nullspace_guest::protocol::Exec;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A boot takes 1 to 3 s at native speed; emulated on a busy host it was seen to take 30.
const BOOT_MAX: Duration = Duration::from_secs(60);
/// One question to the agent that involves no user program.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Writing out what a step left in the page cache, before a layer or at the end.
const FLUSH_MAX: Duration = Duration::from_secs(120);

/// Why a step did not succeed.
#[derive(Debug)]
pub enum StepError {
    /// The step's own fault, in words for its author.
    Failed(String),
    /// The machine's fault.
    Machine(String),
}

/// A running build machine.
pub struct BuildMachine {
    machine: Arc<dyn Machine>,
    link: Link,
    slowdown: u32,
    step_max: Duration,
}

impl BuildMachine {
    /// Boots and returns when the agent answers and the disk has its size.
    pub async fn boot(
        site: &mut Site,
        name: &str,
        writable: LayerId,
        boot: Boot,
        slowdown: u32,
        step_max: Duration,
    ) -> Result<Self, Error> {
        let machine = site.boot(name, writable, boot).await.map_err(prepare("start the build machine"))?;
        let deadline = tokio::time::Instant::now() + BOOT_MAX * slowdown;
        let pipe = machine.dial().await.map_err(prepare("reach the build machine"))?;
        let mut nonce = [0; nullspace_guest::link::NONCE];
        getrandom::fill(&mut nonce).expect("the system gives random bytes");
        let link = tokio::select! {
            link = Link::connect(pipe, nonce, deadline) => link.map_err(|error| driver::chain(&error)),
            () = machine.ended() => Err("it ended while it was booting".to_owned()),
        };
        let link = match link {
            Ok(link) => link,
            Err(detail) => {
                let console = last_lines(&machine.console().await);
                return Err(Error::Prepare { doing: "boot the build machine", detail: format!("{detail}\n{console}") });
            }
        };
        let machine = Self { machine, link, slowdown, step_max };
        // Package indexes refuse a machine that lives in 1970.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        machine.ask(CALL_MAX, |stream| client::set_time(stream, now)).await.map_err(prepared("set the clock"))?;
        machine.ask(FLUSH_MAX, client::grow_root).await.map_err(prepared("grow the disk"))?;
        Ok(machine)
    }

    /// Puts the host's certificates where the steps' programs look for them.
    pub async fn install_trust(&self, files: Vec<(&'static str, Vec<u8>)>) -> Result<(), Error> {
        for (name, content) in files {
            let path = format!("{}/{name}", trust::DIRECTORY);
            let (path, content) = (path.as_str(), content.as_slice());
            self.ask(CALL_MAX, |stream| client::write(stream, path, None, Some(0o644), content))
                .await
                .map_err(prepared("give the build machine the host's certificates"))?;
        }
        Ok(())
    }

    /// Makes the directory that steps begin in, as an image's author may name one that is not there.
    pub async fn make_workdir(&self, path: &str) -> Result<(), Error> {
        self.ask(CALL_MAX, |stream| client::mkdir(stream, path, None, None))
            .await
            .map_err(prepared("make the working directory"))
    }

    /// Carries out one step's work.
    pub async fn perform(&self, work: &Work, envs: &Envs<'_>, report: &Report) -> Result<(), StepError> {
        match work {
            Work::Command(command) => self.run(command, envs, report).await,
            Work::Copy { copies } => {
                for copy in copies {
                    files::copy(self, copy, report).await?;
                }
                Ok(())
            }
            Work::MakeDir { path, mode, user } => files::make_dir(self, path, *mode, user.as_deref()).await,
            Work::CheckUser { user } => {
                match self.ask(CALL_MAX, |stream| client::stat(stream, "/", Some(user))).await {
                    Ok(_) => Ok(()),
                    Err(StepError::Failed(detail)) => {
                        Err(StepError::Failed(format!("there is no user `{user}` in the image: {detail}")))
                    }
                    Err(other) => Err(other),
                }
            }
            Work::Remove { path, recursive, force, user } => {
                files::remove(self, path, *recursive, *force, user.as_deref()).await
            }
            Work::Rename { from, to, force: _, user } => files::rename(self, from, to, user.as_deref()).await,
            Work::CacheBoundary => Ok(()),
        }
    }

    async fn run(&self, command: &Command, envs: &Envs<'_>, report: &Report) -> Result<(), StepError> {
        let (program, args, shell) = match &command.program {
            Program::Shell(script) => (script.clone(), Vec::new(), true),
            Program::Direct(words) => (words[0].clone(), words[1..].to_vec(), false),
        };
        let exec = Exec {
            command: program,
            args,
            shell,
            envs: envs.with(&command.envs),
            cwd: Some(command.cwd.clone()),
            user: command.user.clone(),
            timeout_ms: u64::try_from((self.step_max * self.slowdown).as_millis()).unwrap_or(u64::MAX),
            background: false,
            attach: true,
            stdin: false,
        };
        let mut session = self.ask(CALL_MAX, |stream| client::exec(stream, exec)).await?;
        let mut output = Output::new(Instant::now());
        // The agent ends the program at its own limit; this one is for an agent that does not.
        let patience = self.step_max + CALL_MAX;
        let exit = self
            .within(patience, async {
                loop {
                    let (stream, bytes) = match session.events.next().await.map_err(step_error)? {
                        Event::Stdout(bytes) => (Stream::Stdout, bytes),
                        Event::Stderr(bytes) => (Stream::Stderr, bytes),
                        Event::Exit(exit) => return Ok(exit),
                    };
                    for line in output.push(stream, &bytes, Instant::now()) {
                        report.say(Phase::Step, line).await;
                    }
                }
            })
            .await?;
        for line in output.finish(Instant::now()) {
            report.say(Phase::Step, line).await;
        }
        if exit.timed_out {
            let seconds = (self.step_max * self.slowdown).as_secs();
            return Err(StepError::Failed(format!("it ran longer than {seconds} s; last output:\n{}", output.tail())));
        }
        if exit.code != 0 {
            let tail = output.tail();
            let shown = if tail.is_empty() { "it printed nothing".to_owned() } else { format!("last output:\n{tail}") };
            return Err(StepError::Failed(format!("it ended with exit code {}; {shown}", exit.code)));
        }
        Ok(())
    }

    /// Closes the present layer with a clean file system on it, and goes on in the next.
    pub async fn checkpoint(&self, next: &std::path::Path) -> Result<(), StepError> {
        self.ask(FLUSH_MAX, client::freeze_disk).await?;
        let done = self.machine.checkpoint_disk(next).await.map_err(|error| StepError::Machine(error.chain()));
        self.ask(CALL_MAX, client::thaw_disk).await?;
        done
    }

    /// Unmounts its disk and powers it off.
    pub async fn shut_down(self) -> Result<(), Error> {
        let doing = "shut the build machine down";
        self.ask(FLUSH_MAX, client::shutdown).await.map_err(finalized(doing))?;
        tokio::time::timeout(FLUSH_MAX * self.slowdown, self.machine.ended())
            .await
            .map_err(|_| Error::Finalize { doing, detail: "it did not power off in time".to_owned() })
    }

    /// One operation with the agent, within a time that is stretched where the machine is slow.
    pub async fn ask<T, F>(&self, patience: Duration, operation: impl FnOnce(GuestStream) -> F) -> Result<T, StepError>
    where
        F: Future<Output = Result<T, client::Error>>,
    {
        self.within(patience, async {
            let stream = self.link.open().await.map_err(|error| StepError::Machine(driver::chain(&error)))?;
            operation(stream).await.map_err(step_error)
        })
        .await
    }

    async fn within<T>(
        &self,
        patience: Duration,
        operation: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, StepError> {
        tokio::select! {
            result = operation => result,
            () = self.machine.ended() => Err(StepError::Machine("it ended".to_owned())),
            () = tokio::time::sleep(patience * self.slowdown) => {
                Err(StepError::Machine(format!("its agent did not answer within {} s", (patience * self.slowdown).as_secs())))
            }
        }
    }
}

/// What a step's programs see, lowest first: what the host gives, what the command brings, what the image
/// and the build say.
#[derive(Debug, Clone, Copy)]
pub struct Envs<'a> {
    pub host: &'a BTreeMap<String, String>,
    pub step: &'a BTreeMap<String, String>,
}

impl Envs<'_> {
    fn with(&self, command: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let layers = [self.host, command, self.step];
        layers.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// An agent that says no speaks of the step; anything else is the machine's trouble.
fn step_error(error: client::Error) -> StepError {
    match error.failure() {
        Some(failure) => StepError::Failed(failure.message.clone()),
        None => StepError::Machine(driver::chain(&error)),
    }
}

fn prepare(doing: &'static str) -> impl FnOnce(driver::Error) -> Error {
    move |error| Error::Prepare { doing, detail: error.chain() }
}

fn prepared(doing: &'static str) -> impl FnOnce(StepError) -> Error {
    move |error| {
        let (StepError::Failed(detail) | StepError::Machine(detail)) = error;
        Error::Prepare { doing, detail }
    }
}

fn finalized(doing: &'static str) -> impl FnOnce(StepError) -> Error {
    move |error| {
        let (StepError::Failed(detail) | StepError::Machine(detail)) = error;
        Error::Finalize { doing, detail }
    }
}

fn last_lines(console: &str) -> String {
    /// Enough for a kernel's last words.
    const LINES: usize = 15;
    let lines: Vec<_> = console.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
