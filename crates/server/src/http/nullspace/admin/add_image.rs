//! `POST /v1/images`: pulls, imports or bootstraps, telling how far it is as server-sent events.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::envelope::RequestId;
use crate::http::extract::Json;
use crate::http::limits::IMAGE_EVENTS_QUEUE;
use crate::http::nullspace::Error;
use crate::http::sse;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures::stream;
use nullspace_api::admin::{self as wire, AddImage, ImageEvent, ImageSourceKind};
use nullspace_node::api::{ImageProgress, ImageSource, RegistryAuth};
use std::path::PathBuf;
use tokio::sync::mpsc;

/// Adds an image. The last event is `done` or `error`. It goes on if the client leaves.
#[utoipa::path(post, path = "/v1/images", tag = "images", responses((status = 200, body = ImageEvent, content_type = "text/event-stream")))]
pub async fn add_image(
    State(app): State<App>,
    caller: Caller,
    Extension(request): Extension<RequestId>,
    Json(body): Json<AddImage>,
) -> Result<Response, Error> {
    if !caller.admin {
        return Err(Error::OperatorOnly);
    }
    let source = parse(body.source)?;
    let (events, received) = mpsc::channel::<ImageEvent>(IMAGE_EVENTS_QUEUE);
    tokio::spawn(async move {
        let last = match add(&app, &caller, &body.name, source, &events).await {
            Ok(image) => ImageEvent::Done { image: view::image(image) },
            Err(error) => {
                let (_, mut body) = error.describe();
                body.request_id = Some(request.0);
                ImageEvent::Error { error: Box::new(body) }
            }
        };
        // Nobody may be listening any more.
        let _ = events.send(last).await;
    });
    Ok(sse::response(stream::unfold(received, |mut received| async move {
        received.recv().await.map(|event| (event, received))
    })))
}

async fn add(
    app: &App,
    caller: &Caller,
    name: &str,
    source: ImageSource,
    events: &mpsc::Sender<ImageEvent>,
) -> Result<nullspace_node::api::ImageInfo, Error> {
    let (progress, mut made) = mpsc::channel::<ImageProgress>(IMAGE_EVENTS_QUEUE);
    let adding = app.engine.add_image(caller, name, source, progress);
    let telling = async {
        while let Some(ImageProgress { message, done_bytes, total_bytes }) = made.recv().await {
            // A slow or absent listener must not slow the work down: progress may be skipped.
            let _ = events.try_send(ImageEvent::Progress { message, done_bytes, total_bytes });
        }
    };
    let (image, ()) = tokio::join!(adding, telling);
    Ok(image?)
}

fn parse(source: wire::ImageSource) -> Result<ImageSource, Error> {
    let required = |field: &str| Error::invalid(field, format!("`{field}` is required"));
    match source.kind {
        ImageSourceKind::Registry => match (source.username, source.password) {
            (Some(username), Some(password)) => {
                Ok(ImageSource::Registry { auth: Some(RegistryAuth { username, password: password.0 }) })
            }
            (None, None) => Ok(ImageSource::Registry { auth: None }),
            (Some(_), None) => Err(required("source.password")),
            (None, Some(_)) => Err(required("source.username")),
        },
        ImageSourceKind::Archive => {
            let path = PathBuf::from(source.path.ok_or_else(|| required("source.path"))?);
            if !path.is_absolute() {
                return Err(Error::invalid("source.path", "`source.path` is an absolute path on the server's host"));
            }
            Ok(ImageSource::Archive(path))
        }
        ImageSourceKind::Bootstrap => {
            Ok(ImageSource::Bootstrap(source.recipe.ok_or_else(|| required("source.recipe"))?))
        }
    }
}
