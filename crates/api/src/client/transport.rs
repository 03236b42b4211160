//! Sends one request and reads one answer.

use super::{Client, Error};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Everything but RFC 3986's unreserved characters is escaped in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one path segment.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

impl Client {
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.key.expose())
    }

    /// Sends, and turns every status of 400 or more into [`Error::Api`].
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send().await.map_err(|source| Error::Transport { base: self.base.clone(), source })?;
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(response);
        }
        let call = response.url().path().to_owned();
        let bytes = self.bytes(response).await?;
        match serde_json::from_slice(&bytes) {
            Ok(body) => Err(Error::Api { status, body: Box::new(body) }),
            Err(_) => Err(Error::Unexplained { call, status }),
        }
    }

    pub(super) async fn bytes(&self, response: Response) -> Result<bytes::Bytes, Error> {
        response.bytes().await.map_err(|source| Error::Transport { base: self.base.clone(), source })
    }

    /// Sends, and reads the answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let response = self.answer(request).await?;
        let call = response.url().path().to_owned();
        let bytes = self.bytes(response).await?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Decode { call, source })
    }

    /// Sends, and does not look at the answer's body.
    pub(super) async fn done(&self, request: RequestBuilder) -> Result<(), Error> {
        let response = self.answer(request).await?;
        self.bytes(response).await.map(drop)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.json(self.request(Method::GET, path)).await
    }

    pub(super) async fn get_with<Q: Serialize, T: DeserializeOwned>(&self, path: &str, query: &Q) -> Result<T, Error> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub(super) async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Error> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    /// A POST without a body, as the API's actions are.
    pub(super) async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.json(self.request(Method::POST, path).header("content-length", 0)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, path)).await
    }
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_ref_is_one_path_segment() {
        assert_eq!(segment("team/review-api:stable"), "team%2Freview-api%3Astable");
    }
}
