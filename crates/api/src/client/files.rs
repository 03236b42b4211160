//! Files of a sandbox.

use super::transport::segment;
use super::{Client, Error};
use crate::files::{
    Encoding, Exists, FileContent, FileInfo, FileQuery, ListQuery, PathRequest, ReadFile, RenameFile, SetPermissions,
    WriteFile,
};
use reqwest::{Body, Method, Response};

fn files(sandbox: &str, rest: &str) -> String {
    format!("/v1/sandboxes/{}/files{rest}", segment(sandbox))
}

fn at(path: &str) -> PathRequest {
    PathRequest { path: path.to_owned(), user: None }
}

impl Client {
    pub async fn list_files(&self, sandbox: &str, query: &ListQuery) -> Result<Vec<FileInfo>, Error> {
        self.get_with(&files(sandbox, ""), query).await
    }

    /// A file as text.
    pub async fn read_file(&self, sandbox: &str, path: &str) -> Result<FileContent, Error> {
        let body = ReadFile { path: path.to_owned(), encoding: Some(Encoding::Utf8), user: None };
        self.post(&files(sandbox, "/read"), &body).await
    }

    /// Parents are created; the file appears whole or not at all.
    pub async fn write_file(&self, sandbox: &str, file: &WriteFile) -> Result<FileInfo, Error> {
        self.post(&files(sandbox, "/write"), file).await
    }

    pub async fn file_info(&self, sandbox: &str, path: &str) -> Result<FileInfo, Error> {
        self.post(&files(sandbox, "/info"), &at(path)).await
    }

    pub async fn file_exists(&self, sandbox: &str, path: &str) -> Result<bool, Error> {
        let answer: Exists = self.post(&files(sandbox, "/exists"), &at(path)).await?;
        Ok(answer.exists)
    }

    pub async fn remove_file(&self, sandbox: &str, path: &str) -> Result<(), Error> {
        self.done(self.request(Method::POST, &files(sandbox, "/remove")).json(&at(path))).await
    }

    pub async fn rename_file(&self, sandbox: &str, old_path: &str, new_path: &str) -> Result<FileInfo, Error> {
        let body = RenameFile { old_path: old_path.to_owned(), new_path: new_path.to_owned(), user: None };
        self.post(&files(sandbox, "/rename"), &body).await
    }

    pub async fn make_dir(&self, sandbox: &str, path: &str) -> Result<(), Error> {
        self.done(self.request(Method::POST, &files(sandbox, "/mkdir")).json(&at(path))).await
    }

    pub async fn set_permissions(&self, sandbox: &str, change: &SetPermissions) -> Result<(), Error> {
        self.done(self.request(Method::POST, &files(sandbox, "/permissions")).json(change)).await
    }

    /// The file's bytes, as they come.
    pub async fn download(&self, sandbox: &str, query: &FileQuery) -> Result<Response, Error> {
        let path = format!("/v1/sandboxes/{}/file", segment(sandbox));
        self.answer(self.request(Method::GET, &path).query(query)).await
    }

    /// Writes a file from bytes or a stream of them.
    pub async fn upload(&self, sandbox: &str, query: &FileQuery, content: impl Into<Body>) -> Result<(), Error> {
        let path = format!("/v1/sandboxes/{}/file", segment(sandbox));
        self.done(self.request(Method::PUT, &path).query(query).body(content)).await
    }
}
