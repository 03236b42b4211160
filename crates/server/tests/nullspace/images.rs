//! Images and hosts.

use super::setup::server;
use futures::StreamExt;
use nullspace_api::admin::{AddImage, ImageEvent, ImageSource, ImageSourceKind};

#[tokio::test]
async fn an_image_is_added_with_progress_listed_and_removed_by_a_name_with_slashes() {
    let server = server().await;
    let name = "registry.example.org/team/busybox:1";
    let request = AddImage {
        name: name.into(),
        source: ImageSource {
            kind: ImageSourceKind::Bootstrap,
            path: None,
            recipe: Some("busybox".into()),
            username: None,
            password: None,
        },
    };
    let events: Vec<_> = server.client.add_image(&request).await.unwrap().map(Result::unwrap).collect().await;
    assert!(matches!(events.first(), Some(ImageEvent::Progress { done_bytes: Some(1), .. })), "{events:?}");
    assert!(matches!(events.last(), Some(ImageEvent::Done { image }) if image.name == name), "{events:?}");
    assert!(server.client.list_images().await.unwrap().items.iter().any(|image| image.name == name));
    server.client.remove_image(name).await.unwrap();
    assert_eq!(server.client.remove_image(name).await.unwrap_err().code().unwrap().as_str(), "image_not_found");
    assert_eq!(server.client.list_nodes().await.unwrap().items.len(), 1);
}
