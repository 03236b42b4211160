//! The processes that the agent remembers: the running ones, and the last that ended.

use super::fail;
use super::kernel;
use super::log::{Cursor, Log};
use crate::protocol::{Exit, Failure, FailureCode, FrameKind, PROCESSES_MAX, start_of};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::net::unix::pipe;
use tokio::sync::watch;

/// Output of all processes together: an eighth of the memory, within these. The least lets one
/// process keep its whole log.
const KEPT_LEAST: u64 = 17 * 1024 * 1024;
const KEPT_MOST: u64 = 64 * 1024 * 1024;

/// How much of a command is shown in the list of processes.
const COMMAND_SHOWN: usize = 1024;

/// One process that was started here.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    /// As it was asked for, cut to a length worth showing.
    pub command: String,
    /// Open until it is closed by request, if it was asked for.
    pub stdin: tokio::sync::Mutex<Option<pipe::Sender>>,
    output: Mutex<Output>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Output {
    log: Log,
    exit: Option<Exit>,
}

/// What a follower gets next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Output(FrameKind, Vec<u8>),
    Exit(Exit),
    /// Nothing yet.
    Nothing,
}

impl Process {
    pub fn new(pid: u32, command: &str, stdin: Option<pipe::Sender>) -> Arc<Process> {
        Arc::new(Process {
            pid,
            command: start_of(command, COMMAND_SHOWN).to_owned(),
            stdin: tokio::sync::Mutex::new(stdin),
            output: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// What comes after `cursor`.
    pub fn next(&self, cursor: &mut Cursor) -> Next {
        let output = self.output.lock().expect("no panic under this lock");
        match (output.log.read(cursor), output.exit) {
            (Some((kind, bytes)), _) => Next::Output(kind, bytes.to_vec()),
            (None, Some(exit)) => Next::Exit(exit),
            (None, None) => Next::Nothing,
        }
    }

    pub fn exit(&self) -> Option<Exit> {
        self.output.lock().expect("no panic under this lock").exit
    }

    /// Tells when `next` may have something else to say.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Signals the process and its group. Says whether there was anybody.
    pub fn signal(&self, signal: i32) -> bool {
        let Ok(group) = i32::try_from(self.pid) else { return false };
        // SAFETY: takes numbers only.
        unsafe { libc::kill(-group, signal) == 0 }
    }

    fn append(&self, stderr: bool, bytes: &[u8], room: usize) -> usize {
        let mut output = self.output.lock().expect("no panic under this lock");
        let max = output.log.len() + room;
        let grown = output.log.append(stderr, bytes, max);
        drop(output);
        self.changed.send_replace(());
        grown
    }

    /// Gives back the memory of the log, also while somebody still holds the process.
    fn forget(&self) -> usize {
        let mut output = self.output.lock().expect("no panic under this lock");
        std::mem::replace(&mut output.log, Log::closed()).len()
    }
}

/// Every process by its id.
#[derive(Debug)]
pub struct Table {
    processes: BTreeMap<u32, Arc<Process>>,
    /// Ids of those that ended, oldest first.
    ended: VecDeque<u32>,
    kept: usize,
    kept_max: usize,
}

impl Default for Table {
    fn default() -> Self {
        Table::with_room((kernel::memory_total() / 8).clamp(KEPT_LEAST, KEPT_MOST) as usize)
    }
}

impl Table {
    fn with_room(kept_max: usize) -> Table {
        Table { processes: BTreeMap::new(), ended: VecDeque::new(), kept: 0, kept_max }
    }

    /// Refuses when so many are running that none can be forgotten.
    pub fn check_room(&mut self) -> Result<(), Failure> {
        while self.processes.len() >= PROCESSES_MAX && self.forget_oldest() {}
        if self.processes.len() < PROCESSES_MAX {
            return Ok(());
        }
        Err(fail(FailureCode::TooManyProcesses, format!("{PROCESSES_MAX} processes are running already")))
    }

    pub fn insert(&mut self, process: Arc<Process>) {
        // The kernel gives an id anew only when its process is gone.
        if let Some(old) = self.processes.insert(process.pid, process) {
            self.ended.retain(|pid| *pid != old.pid);
            self.kept -= old.forget();
        }
    }

    pub fn get(&self, pid: u32) -> Result<Arc<Process>, Failure> {
        let found = self.processes.get(&pid).cloned();
        found.ok_or_else(|| fail(FailureCode::NotFound, format!("no process {pid} was started here")))
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.processes.values()
    }

    /// Adds output of a process, forgetting the oldest ended ones where that makes room.
    pub fn append(&mut self, process: &Arc<Process>, stderr: bool, bytes: &[u8]) {
        let known = self.processes.get(&process.pid).is_some_and(|known| Arc::ptr_eq(known, process));
        if !known {
            return;
        }
        while self.kept + bytes.len() > self.kept_max && self.ended.front().is_some_and(|pid| *pid != process.pid) {
            self.forget_oldest();
        }
        self.kept += process.append(stderr, bytes, self.kept_max.saturating_sub(self.kept));
    }

    /// Notes how a process ended.
    pub fn end(&mut self, process: &Arc<Process>, exit: Exit) {
        process.output.lock().expect("no panic under this lock").exit = Some(exit);
        process.changed.send_replace(());
        if self.processes.get(&process.pid).is_some_and(|known| Arc::ptr_eq(known, process)) {
            self.ended.push_back(process.pid);
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let Some(pid) = self.ended.pop_front() else { return false };
        if let Some(process) = self.processes.remove(&pid) {
            self.kept -= process.forget();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: Exit = Exit { code: 0, signal: None, timed_out: false };

    #[test]
    fn the_oldest_ended_process_is_forgotten_first_and_running_ones_never() {
        let mut table = Table::with_room(1000);
        let running = Process::new(1, "runs", None);
        table.insert(running.clone());
        for pid in 2..PROCESSES_MAX as u32 + 10 {
            table.check_room().unwrap();
            let process = Process::new(pid, "ends", None);
            table.insert(process.clone());
            table.end(&process, EXIT);
        }
        assert_eq!(table.processes.len(), PROCESSES_MAX);
        assert!(table.get(1).is_ok());
        assert!(table.get(2).is_err());
        assert!(table.get(PROCESSES_MAX as u32 + 9).is_ok());
    }

    #[test]
    fn a_thousand_running_processes_refuse_the_next() {
        let mut table = Table::with_room(1000);
        for pid in 0..PROCESSES_MAX as u32 {
            table.insert(Process::new(pid, "runs", None));
        }
        assert_eq!(table.check_room().unwrap_err().code, FailureCode::TooManyProcesses);
    }

    #[test]
    fn output_of_all_processes_together_is_bounded() {
        let mut table = Table::with_room(10_000);
        for pid in 1..100 {
            let process = Process::new(pid, "writes", None);
            table.insert(process.clone());
            for _ in 0..10 {
                table.append(&process, false, &[b'x'; 500]);
            }
            if pid % 2 == 0 {
                table.end(&process, EXIT);
            }
            // Each log that had to be cut has one marker.
            assert!(table.kept < 10_000 + 100 * 100, "{}", table.kept);
            let recount: usize = table.all().map(|process| process.output.lock().unwrap().log.len()).sum();
            assert_eq!(table.kept, recount);
        }
    }
}
