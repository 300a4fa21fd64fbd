//! One model, ready: image in, text out.

mod batch;
mod caption;
mod run;
mod scores;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

pub use batch::{Batch, Captioned};
pub use caption::{Caption, Seconds};
pub use run::Run;
pub use scores::Scores;

use crate::image::{load_bytes_until, read_path, Limits, RgbImage};
use crate::kernels::{Buffer, Compute};
use crate::models::{self, Model};
use crate::Result;

/// A loaded model that captions images. Immutable and shared: captions run side by side, each with its own state.
pub struct Captioner {
    model: Arc<dyn Model>,
}

impl Captioner {
    /// Loads the checkpoint in the folder `path` or the packed file `path`; `map` maps its weights instead of reading them
    /// into memory, `compute` says how products with them are computed.
    ///
    /// # Errors
    /// Those of [`models::load`].
    pub fn load(path: &Path, map: bool, compute: Compute) -> Result<Self> {
        Ok(Self { model: models::load(path, map, compute)? })
    }

    /// The network behind it.
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.model
    }

    /// Bytes that the weights take, mapped or in memory.
    pub fn bytes(&self) -> usize {
        self.model.buffers().iter().map(Buffer::len).sum()
    }

    /// Reads a byte of every page of the weights, so that all of them are resident; for measuring. Gives their sum.
    pub fn touch(&self) -> u64 {
        let pages = self.model.buffers().iter().flat_map(|buffer| buffer.as_slice().iter().step_by(4096));
        pages.map(|byte| u64::from(*byte)).sum()
    }
}

/// Where an image comes from.
#[derive(Debug, Clone)]
pub enum Input {
    Path(PathBuf),
    Bytes(Vec<u8>),
}

impl Input {
    /// The bytes of a file; nothing for an image that is in memory. They may be a while in coming, from a disk that sleeps or over a
    /// network, and no thread of a pool should wait for them.
    fn read(&self, limits: &Limits, stop: &AtomicBool) -> Result<Vec<u8>> {
        match self {
            Input::Path(path) => read_path(path, limits, stop),
            Input::Bytes(_) => Ok(Vec::new()),
        }
    }

    /// The image of the bytes that [`Input::read`] gave.
    fn decode(&self, read: &[u8], limits: &Limits, stop: &AtomicBool) -> Result<RgbImage> {
        match self {
            Input::Path(path) => load_bytes_until(&path.display().to_string(), read, limits, stop),
            Input::Bytes(bytes) => load_bytes_until("the image", bytes, limits, stop),
        }
    }
}
