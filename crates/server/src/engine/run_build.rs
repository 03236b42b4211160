//! A build runs: in its turn, told by the host, every entry numbered and stored, to one of three ends.

use super::{Engine, Error};
use crate::reconcile::report;
use crate::records::{Build, BuildStatus, CacheNote, CacheSummary, Failure, LogEntry, LogKind, LogLevel, Template};
use crate::store::{self, build_logs, builds, pools, templates};
use nullspace_domain::{BuildId, Timestamp};
use nullspace_node::api::{
    ArtifactInfo, BuildError, BuildEvent, BuildJob, BuildOutcome, Cancel, EventKind, FailurePhase, Level,
};
use rusqlite::Connection;
use tokio::sync::mpsc;

/// Entries a build may have written; more of a flood is dropped, with a marker.
const ENTRIES_MAX: u64 = 50_000;
/// Longest message: a line of output, cut.
const MESSAGE_MAX: usize = 16 * 1024;
/// Events on their way: the host waits when the store is slower.
const EVENTS_QUEUED: usize = 256;

impl Engine {
    /// Goes on by itself until it has ended and its rows say so.
    pub(super) fn run_build(&self, build: Build, job: BuildJob, cancel: Cancel) {
        let engine = self.clone();
        self.spawn(async move {
            let id = build.id.clone();
            let (worker, who) = (engine.clone(), build.clone());
            // Of its own, so that a panic ends this build and not the record of it.
            let outcome = tokio::spawn(async move { worker.carry_out(&who, job, cancel).await }).await;
            let outcome = outcome.unwrap_or_else(|error| Err(internal(format!("the build ended abnormally: {error}"))));
            report("record the end of a build", engine.end_build(&build, outcome).await);
            engine.inner.builds.end(&id);
        });
    }

    async fn carry_out(&self, build: &Build, job: BuildJob, cancel: Cancel) -> Result<BuildOutcome, BuildError> {
        let running = &self.inner.builds;
        let _slot = tokio::select! {
            () = cancel.cancelled() => return Err(BuildError::Cancelled),
            slot = running.slots.acquire() => slot.map_err(|error| internal(error.to_string()))?,
        };
        let _artifacts_are_not_swept = running.artifacts.read().await;
        self.mark_building(&build.id).await.map_err(|error| internal(error.to_string()))?;
        let (events, heard) = mpsc::channel(EVENTS_QUEUED);
        let (outcome, written) =
            tokio::join!(self.inner.node.build(job, events, cancel), self.write_events(build, heard));
        report("write a build's log", written);
        // Recorded while the sweep still waits.
        if let Ok(outcome) = &outcome {
            self.record_ready(build, &outcome.artifact).await.map_err(|error| internal(error.to_string()))?;
        }
        outcome
    }

    async fn mark_building(&self, id: &BuildId) -> Result<(), Error> {
        let (id, now) = (id.clone(), self.now());
        let mark = move |tx: &rusqlite::Transaction<'_>| {
            if let Some(mut build) = builds::build(tx, &id)?.filter(|build| build.status == BuildStatus::Waiting) {
                build.status = BuildStatus::Building;
                build.started_at = Some(now);
                build.updated_at = now;
                builds::build_update(tx, &build)?;
            }
            Ok::<_, Error>(())
        };
        self.inner.store.write_durable(mark).await
    }

    /// Stores what the host says, as many entries at once as are there.
    async fn write_events(&self, build: &Build, mut events: mpsc::Receiver<BuildEvent>) -> Result<(), Error> {
        let mut batch = Vec::with_capacity(EVENTS_QUEUED);
        while events.recv_many(&mut batch, EVENTS_QUEUED).await > 0 {
            let now = self.now();
            let (build, heard) = (build.clone(), std::mem::take(&mut batch));
            let id = build.id.clone();
            let write = move |tx: &rusqlite::Transaction<'_>| {
                let mut offset = build_logs::entry_next_offset(tx, &build.id)?;
                let mut cache = Vec::new();
                for event in heard {
                    if let Some(seen) = &event.cache {
                        cache.push((seen.kind, seen.status));
                    }
                    if offset > ENTRIES_MAX {
                        continue;
                    }
                    let entry = match offset == ENTRIES_MAX {
                        true => LogEntry {
                            kind: LogKind::Warning,
                            level: LogLevel::Warn,
                            ..entry(&build, offset, now, "more output is not kept".to_owned())
                        },
                        false => heard_entry(&build, offset, now, event),
                    };
                    build_logs::entry_append(tx, &entry)?;
                    offset += 1;
                }
                if !cache.is_empty()
                    && let Some(mut row) = builds::build(tx, &build.id)?
                {
                    cache.iter().for_each(|(kind, status)| CacheSummary::count(&mut row.cache, kind, status));
                    builds::build_update(tx, &row)?;
                }
                Ok::<_, Error>(offset)
            };
            let next = self.inner.store.write(write).await?;
            self.inner.builds.wrote(&id, next);
        }
        Ok(())
    }

    /// The artifact is there: the build is ready and its tags move, in one transaction, on the disk.
    async fn record_ready(&self, build: &Build, artifact: &ArtifactInfo) -> Result<(), Error> {
        let (id, artifact, now) = (build.id.clone(), artifact.clone(), self.now());
        let finish = move |tx: &rusqlite::Transaction<'_>| {
            let Some(mut row) = unfinished(tx, &id)? else { return Ok(Vec::new()) };
            row.status = BuildStatus::Ready;
            row.artifact = Some(artifact.id);
            row.runtime = artifact.runtime;
            close(&mut row, now);
            builds::build_update(tx, &row)?;
            for tag in &row.tags {
                // One that was started later keeps the tag it has.
                templates::tag_assign(tx, &row, tag, templates::Move::IfStartedLater, now)?;
            }
            let template: Option<Template> = templates::template(tx, &row.template)?;
            let result = match &template {
                Some(template) => Some(templates::template_info(tx, template, Some(&row))?),
                None => None,
            };
            let offset = build_logs::entry_next_offset(tx, &row.id)?;
            let end = LogEntry {
                kind: LogKind::End,
                phase: Some("finalize".to_owned()),
                result: result.map(Box::new),
                ..entry(&row, offset, now, "Build finished".to_owned())
            };
            build_logs::entry_append(tx, &end)?;
            Ok::<_, Error>(pools::pool_ids_of_template(tx, &row.template)?)
        };
        for pool in self.inner.store.write_durable(finish).await? {
            self.inner.due.mark(&pool);
        }
        Ok(())
    }

    async fn end_build(&self, build: &Build, outcome: Result<BuildOutcome, BuildError>) -> Result<(), Error> {
        let failure = match outcome {
            // Recorded with its artifact.
            Ok(_) => return Ok(()),
            Err(BuildError::Cancelled) if self.inner.stopping.is_cancelled() => Some(interrupted()),
            Err(BuildError::Cancelled) => None,
            Err(BuildError::Failed { phase, message, step_index, retryable, suggested_action }) => {
                let code = match phase {
                    FailurePhase::Auth => "unauthorized",
                    FailurePhase::Preflight | FailurePhase::BlobUpload => "file_upload_error",
                    _ => "build_error",
                };
                Some(Failure { code: code.to_owned(), message, phase, retryable, suggested_action, step_index })
            }
        };
        let (id, now) = (build.id.clone(), self.now());
        let record = move |tx: &rusqlite::Transaction<'_>| Ok::<_, Error>(record_end(tx, &id, failure, now)?);
        self.inner.store.write_durable(record).await
    }
}

/// The first entry of every build.
pub(super) fn append_start(tx: &Connection, build: &Build) -> Result<(), store::Error> {
    let message = format!("Build of {} started", build.canonical_ref());
    let start = LogEntry { kind: LogKind::Start, ..entry(build, 0, build.created_at, message) };
    build_logs::entry_append(tx, &start)
}

/// A build that did not become ready: `failure` says why, none that it was cancelled.
pub(super) fn record_end(
    tx: &Connection,
    id: &BuildId,
    failure: Option<Failure>,
    now: Timestamp,
) -> Result<(), store::Error> {
    let Some(mut row) = unfinished(tx, id)? else { return Ok(()) };
    let offset = build_logs::entry_next_offset(tx, id)?;
    let end = match &failure {
        Some(failure) => LogEntry {
            kind: LogKind::Error,
            level: LogLevel::Error,
            step_index: failure.step_index,
            failure: Some(failure.clone()),
            ..entry(&row, offset, now, failure.message.clone())
        },
        None => {
            let message = match &row.cancellation_reason {
                Some(reason) => format!("Build cancelled: {reason}"),
                None => "Build cancelled".to_owned(),
            };
            LogEntry { kind: LogKind::Cancelled, level: LogLevel::Warn, ..entry(&row, offset, now, message) }
        }
    };
    row.status = if failure.is_some() { BuildStatus::Error } else { BuildStatus::Cancelled };
    row.failure = failure;
    close(&mut row, now);
    builds::build_update(tx, &row)?;
    build_logs::entry_append(tx, &end)
}

/// What a build is told that the server did not live to see the end of.
pub(super) fn interrupted() -> Failure {
    Failure {
        code: "internal_error".to_owned(),
        message: "the server ended while the build was running".to_owned(),
        phase: FailurePhase::Interrupted,
        retryable: true,
        suggested_action: "retry the build".to_owned(),
        step_index: None,
    }
}

fn internal(message: String) -> BuildError {
    BuildError::Failed {
        phase: FailurePhase::Finalize,
        message,
        step_index: None,
        retryable: true,
        suggested_action: "retry the build; the server's log says more".to_owned(),
    }
}

fn unfinished(tx: &Connection, id: &BuildId) -> Result<Option<Build>, store::Error> {
    Ok(builds::build(tx, id)?.filter(|build| !build.status.is_terminal()))
}

fn close(build: &mut Build, now: Timestamp) {
    build.updated_at = now;
    build.finished_at = Some(now);
}

fn entry(build: &Build, offset: u64, timestamp: Timestamp, message: String) -> LogEntry {
    LogEntry {
        build: build.id.clone(),
        template: build.template.clone(),
        offset,
        timestamp,
        kind: LogKind::Message,
        level: LogLevel::Info,
        message: cut(message),
        phase: None,
        step_index: None,
        total_steps: None,
        cache: None,
        failure: None,
        result: None,
    }
}

fn heard_entry(build: &Build, offset: u64, now: Timestamp, event: BuildEvent) -> LogEntry {
    LogEntry {
        kind: match event.kind {
            EventKind::Message => LogKind::Message,
            EventKind::Cache => LogKind::Cache,
            EventKind::Warning => LogKind::Warning,
        },
        level: match event.level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
        },
        phase: Some(event.phase.to_owned()),
        step_index: event.step_index,
        total_steps: event.total_steps,
        cache: event.cache.map(|cache| CacheNote {
            kind: cache.kind.to_owned(),
            status: cache.status.to_owned(),
            reason: cache.reason.map(str::to_owned),
            subject: cache.subject,
        }),
        ..entry(build, offset, now, event.message)
    }
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_MAX {
        let mut end = MESSAGE_MAX;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    message
}
