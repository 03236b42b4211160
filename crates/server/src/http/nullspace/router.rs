//! Every path, with the largest body it takes. `/openapi.json` is made from this list.

use super::{admin, builds, files, health, not_yet, preview, sandboxes, templates, warm_pools};
use crate::http::limits::{BATCH_BODY_MAX, BODY_MAX, BUILD_BODY_MAX, INLINE_BUILD_BODY_MAX, WRITE_BODY_MAX};
use crate::http::{App, envelope, openapi};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The dialect's router with everything around it.
pub fn router(app: App) -> Router {
    let (documented, document) = documented().split_for_parts();
    let document = openapi::finish(document);
    let document = get(move || std::future::ready(crate::http::extract::Json(document.clone())));
    let router = documented.merge(not_yet::router()).route("/openapi.json", document);
    envelope::wrap(router.with_state(app))
}

/// Every path that is served, with its description.
pub fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(plain().layer(DefaultBodyLimit::max(BODY_MAX)))
        .merge(build_requests().layer(DefaultBodyLimit::max(BUILD_BODY_MAX)))
        .merge(inline_build_requests().layer(DefaultBodyLimit::max(INLINE_BUILD_BODY_MAX)))
        .merge(
            OpenApiRouter::new().routes(routes!(files::write::write_file)).layer(DefaultBodyLimit::max(WRITE_BODY_MAX)),
        )
        .merge(
            OpenApiRouter::new()
                .routes(routes!(files::batch_write::batch_write))
                .layer(DefaultBodyLimit::max(BATCH_BODY_MAX)),
        )
        // Streamed, never held: the blob's own size and the guest's disk are their limits.
        .merge(
            OpenApiRouter::new()
                .routes(routes!(builds::put_blob::put_blob))
                .routes(routes!(files::upload::upload_file))
                .layer(DefaultBodyLimit::disable()),
        )
}

fn build_requests() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(builds::build::build_template))
        .routes(routes!(builds::start::start_build))
        .routes(routes!(builds::preflight::preflight_blobs))
}

fn inline_build_requests() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(builds::validate::validate_build)).routes(routes!(builds::plan::plan_build))
}

fn plain() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .merge(template_paths())
        .merge(warm_pool_paths())
        .merge(sandbox_paths())
        .merge(file_paths())
        .merge(preview_paths())
        .merge(admin_paths())
}

fn template_paths() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(templates::list::list_templates))
        .routes(routes!(templates::get::get_template, templates::delete::delete_template))
        .routes(routes!(templates::list_tags::list_tags, templates::assign_tags::assign_tags))
        .routes(routes!(templates::remove_tag::remove_tag))
        .routes(routes!(builds::list::list_builds))
        .routes(routes!(builds::list::list_builds_by_id))
        .routes(routes!(builds::get::get_build))
        .routes(routes!(builds::logs::build_logs))
        .routes(routes!(builds::cancel::cancel_build))
        .routes(routes!(builds::retry::retry_build))
        .routes(routes!(builds::promote::promote_build))
}

fn warm_pool_paths() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(warm_pools::create::create_warm_pool, warm_pools::list::list_warm_pools))
        .routes(routes!(
            warm_pools::get::get_warm_pool,
            warm_pools::update::update_warm_pool,
            warm_pools::delete::delete_warm_pool
        ))
        .routes(routes!(warm_pools::enable::enable_warm_pool))
        .routes(routes!(warm_pools::disable::disable_warm_pool))
        .routes(routes!(warm_pools::drain::drain_warm_pool))
        .routes(routes!(warm_pools::reconcile::reconcile_warm_pool))
        .routes(routes!(warm_pools::status::warm_pool_status))
        .routes(routes!(warm_pools::explain::explain_warm_pool))
}

fn sandbox_paths() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sandboxes::create::create_sandbox, sandboxes::list::list_sandboxes))
        .routes(routes!(sandboxes::get::get_sandbox, sandboxes::kill::kill_sandbox))
        .routes(routes!(sandboxes::set_timeout::set_timeout))
        .routes(routes!(sandboxes::metrics::sandbox_metrics))
        .routes(routes!(sandboxes::exec::exec))
        .routes(routes!(sandboxes::processes::list_processes))
        .routes(routes!(sandboxes::process_kill::kill_process))
        .routes(routes!(sandboxes::process_stdin::write_stdin))
        .routes(routes!(sandboxes::logs::process_logs))
        .routes(routes!(sandboxes::socket::socket))
}

fn file_paths() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(files::list::list_files))
        .routes(routes!(files::read::read_file))
        .routes(routes!(files::info::file_info))
        .routes(routes!(files::exists::file_exists))
        .routes(routes!(files::remove::remove_file))
        .routes(routes!(files::rename::rename_file))
        .routes(routes!(files::make_dir::make_dir))
        .routes(routes!(files::set_permissions::set_permissions))
        .routes(routes!(files::download::download_file))
}

fn preview_paths() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(preview::host::sandbox_host))
        .routes(routes!(preview::preview_url::preview_url))
        .routes(routes!(preview::sign::sign_preview))
        .routes(routes!(preview::readiness::port_readiness))
        .routes(routes!(preview::list::list_preview_urls))
        .routes(routes!(preview::revoke::revoke_preview_url))
}

fn admin_paths() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(admin::list_images::list_images, admin::add_image::add_image))
        .routes(routes!(admin::remove_image::remove_image))
        .routes(routes!(admin::list_nodes::list_nodes))
        .routes(routes!(admin::create_tenant::create_tenant, admin::list_tenants::list_tenants))
        .routes(routes!(admin::create_key::create_key, admin::list_keys::list_keys))
        .routes(routes!(admin::revoke_key::revoke_key))
}
