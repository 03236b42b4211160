//! `/openapi.json`: made from the router, so that it cannot lag behind it.

use super::nullspace::router::documented;
use nullspace_api::ErrorBody;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

const KEY: &str = "api_key";

/// The whole document.
pub fn document() -> OpenApi {
    finish(documented().split_for_parts().1)
}

/// Adds what is true of every path: the key, and the shape of failures.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Nullspace")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Template builds, warm pools and sandboxes."))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(KEY, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    components.schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    let mut schemas = Vec::new();
    ErrorBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    document.security = Some(vec![SecurityRequirement::new(KEY, Vec::<String>::new())]);

    let failure = ResponseBuilder::new()
        .description("Every failure has this shape.")
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorBody::name()))).build(),
        )
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".into(), failure.clone().into());
        }
    }
    document
}
