//! What every handler is given.

use super::preview::Preview;
use crate::Engine;
use std::ops::Deref;
use std::sync::Arc;

/// The engine and the preview signer. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] holds.
pub struct Parts {
    pub engine: Engine,
    pub preview: Preview,
}

impl App {
    pub fn new(engine: Engine, preview: Preview) -> Self {
        Self(Arc::new(Parts { engine, preview }))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
