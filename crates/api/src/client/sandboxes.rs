//! Sandboxes and commands.

use super::transport::segment;
use super::{Client, Error};
use crate::commands::{Exec, ExecAnswer, Process, ProcessLogs, StdinData};
use crate::sandboxes::{CreateSandbox, Killed, MetricsSample, Sandbox, SandboxList, SandboxListQuery, SetTimeout};
use reqwest::Method;

fn path(sandbox: &str, rest: &str) -> String {
    format!("/v1/sandboxes/{}{rest}", segment(sandbox))
}

impl Client {
    /// Answers when the sandbox runs. The same key gives the same sandbox, for 24 hours.
    pub async fn create_sandbox(
        &self,
        request: &CreateSandbox,
        idempotency_key: Option<&str>,
    ) -> Result<Sandbox, Error> {
        let mut call = self.request(Method::POST, "/v1/sandboxes").json(request);
        if let Some(key) = idempotency_key {
            call = call.header("idempotency-key", key);
        }
        self.json(call).await
    }

    /// One page.
    pub async fn list_sandboxes(&self, query: &SandboxListQuery) -> Result<SandboxList, Error> {
        self.get_with("/v1/sandboxes", query).await
    }

    pub async fn get_sandbox(&self, id: &str) -> Result<Sandbox, Error> {
        self.get(&path(id, "")).await
    }

    pub async fn kill_sandbox(&self, id: &str) -> Result<Killed, Error> {
        self.json(self.request(Method::DELETE, &path(id, ""))).await
    }

    /// A new timeout, measured from now.
    pub async fn set_timeout(&self, id: &str, timeout: &SetTimeout) -> Result<Sandbox, Error> {
        self.post(&path(id, "/timeout"), timeout).await
    }

    pub async fn sandbox_metrics(&self, id: &str) -> Result<Vec<MetricsSample>, Error> {
        self.get(&path(id, "/metrics")).await
    }

    pub async fn exec(&self, id: &str, command: &Exec) -> Result<ExecAnswer, Error> {
        self.post(&path(id, "/exec"), command).await
    }

    pub async fn list_processes(&self, id: &str) -> Result<Vec<Process>, Error> {
        self.get(&path(id, "/processes")).await
    }

    pub async fn kill_process(&self, id: &str, pid: u32) -> Result<(), Error> {
        self.done(self.request(Method::POST, &path(id, &format!("/processes/{pid}/kill")))).await
    }

    pub async fn write_stdin(&self, id: &str, pid: u32, data: &str) -> Result<(), Error> {
        let body = StdinData { data: data.to_owned() };
        self.done(self.request(Method::POST, &path(id, &format!("/processes/{pid}/stdin"))).json(&body)).await
    }

    /// Everything the process wrote, from its first byte.
    pub async fn process_logs(&self, id: &str, pid: u32) -> Result<ProcessLogs, Error> {
        self.get(&path(id, &format!("/processes/{pid}/logs"))).await
    }
}
