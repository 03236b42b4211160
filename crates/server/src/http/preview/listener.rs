//! One request at the edge: where to, may it, and through.

use super::address::{self, Place};
use super::edge_error::EdgeError;
use super::token::{self, Invalid};
use super::{cookies, proxy};
use crate::http::App;
use crate::http::envelope;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, HOST, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use nullspace_domain::Timestamp;

/// Everything the preview listener answers.
pub fn router(app: App) -> Router {
    envelope::wrap_edge(Router::new().fallback(pass).with_state(app))
}

async fn pass(State(app): State<App>, mut request: Request) -> Result<Response, EdgeError> {
    let settings = &app.preview.settings;
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (place, path) = address::find(settings, host, request.uri().path()).ok_or(EdgeError::NoPlace)?;
    let (query_token, query) = take_token(request.uri().query().unwrap_or(""));
    let cookie_token = request
        .headers()
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(cookies::token)
        .map(str::to_owned);
    // One in the query is newer than one that was kept.
    let token = query_token.as_ref().or(cookie_token.as_ref()).ok_or(EdgeError::TokenMissing)?;
    check(&app, &place, token)?;

    *request.uri_mut() = inner_uri(&path, &query);
    let mut response = proxy::forward(&app, &place, request).await?;
    if let Some(token) = query_token {
        let headers = response.headers_mut();
        let cookie = cookies::set(&token, &place.prefix, settings.tls);
        headers.append(SET_COOKIE, HeaderValue::from_str(&cookie).map_err(|_| EdgeError::TokenInvalid)?);
        // The address bar holds the token: keep it out of caches and of what the page links to.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    Ok(response)
}

fn check(app: &App, place: &Place, token: &str) -> Result<(), EdgeError> {
    let permit = app.preview.key.verify(token, Timestamp::now()).map_err(|invalid| match invalid {
        Invalid::Forged => EdgeError::TokenInvalid,
        Invalid::Expired => EdgeError::TokenExpired,
    })?;
    if permit.sandbox != place.sandbox || permit.port != place.port {
        return Err(EdgeError::ScopeMismatch);
    }
    if !app.preview.grants.is_active(&permit.grant) {
        return Err(EdgeError::Revoked);
    }
    Ok(())
}

/// Takes the token out of a query; the rest stays as it was written.
fn take_token(query: &str) -> (Option<String>, String) {
    let mut token = None;
    let rest: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| match pair.split_once('=') {
            Some((token::QUERY, value)) => {
                token = Some(value.to_owned());
                false
            }
            _ => *pair != token::QUERY,
        })
        .collect();
    (token, rest.join("&"))
}

fn inner_uri(path: &str, query: &str) -> Uri {
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    // Both are parts of a URI that was parsed, cut at `/`, `?` and `&`.
    text.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_out_of_the_query_and_the_rest_stays() {
        assert_eq!(take_token("a=1&edge_token=t.1&b=%20x"), (Some("t.1".into()), "a=1&b=%20x".into()));
        assert_eq!(take_token("edge_token=t"), (Some("t".into()), String::new()));
        assert_eq!(take_token(""), (None, String::new()));
        assert_eq!(inner_uri("/a%2Fb", "q=1").to_string(), "/a%2Fb?q=1");
    }
}
