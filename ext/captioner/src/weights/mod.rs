//! Where weights come from. A model asks a [`Scope`] for a tensor by its canonical path; the [`Source`] behind it knows the
//! file, its names and its storage.

pub mod bitsandbytes;
mod checkpoint;
mod folder;
mod names;
pub mod packed;

use std::fmt::Display;

pub use checkpoint::Checkpoint;
pub use names::{Canonical, Names};

use crate::kernels::{ActivationScales, Buffer, Compute, Matrix};
use crate::{Error, Result};

/// A set of named tensors. Every method checks the shape and names the tensor in its error.
pub trait Source {
    /// Is there a tensor of this name?
    fn contains(&self, name: &str) -> bool;
    /// A matrix of `shape[0]` rows in its storage; further dimensions are flattened into its columns.
    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix>;
    /// All values as `f32`.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>>;
    /// All values as `f32`, or nothing where there is no such tensor, or one of zeros only.
    fn nonzero(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        let values = if self.contains(name) { Some(self.tensor(name, shape)?) } else { None };
        Ok(values.filter(|values| values.iter().any(|v| *v != 0.0)))
    }
    /// The bytes of all weights, mapped or in memory.
    fn buffers(&self) -> Vec<Buffer>;
}

/// Rows and columns of a shape: all dimensions but the first are flattened.
///
/// # Errors
/// `CorruptModel` for a shape that cannot be: it may come from a configuration, which may say anything.
fn flattened(shape: &[usize]) -> Result<(usize, usize)> {
    let rows = shape.first().copied();
    let cols = shape.iter().skip(1).try_fold(1usize, |cols, side| cols.checked_mul(*side));
    rows.zip(cols).ok_or_else(|| Error::CorruptModel(format!("no tensor can have the shape {shape:?}")))
}

/// A place in the tree of names.
#[derive(Clone)]
pub struct Scope<'a> {
    source: &'a dyn Source,
    compute: Compute,
    activation_scales: ActivationScales,
    path: String,
}

impl<'a> Scope<'a> {
    /// The root of the tree; products with the matrices in it are computed as `compute` says.
    pub fn root(source: &'a dyn Source, compute: Compute) -> Self {
        Self { source, compute, activation_scales: ActivationScales::default(), path: String::new() }
    }

    /// The same place; where products with the matrices below it are in int8, their inputs are rounded in this way.
    pub fn scaling(self, activation_scales: ActivationScales) -> Self {
        Self { activation_scales, ..self }
    }

    /// One level down.
    pub fn pp(&self, name: impl Display) -> Self {
        Self { path: self.name(name), ..*self }
    }

    fn name(&self, name: impl Display) -> String {
        if self.path.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Is there a tensor of this name here?
    pub fn contains(&self, name: &str) -> bool {
        self.source.contains(&self.name(name))
    }

    /// The weight `[rows, cols]` in its storage.
    pub fn matrix(&self, name: &str, rows: usize, cols: usize) -> Result<Matrix> {
        Ok(self.source.matrix(&self.name(name), &[rows, cols])?.computing(self.compute).scaling(self.activation_scales))
    }

    /// The weight `[outputs, inputs, kernel, kernel]` as a matrix of `outputs` rows.
    pub fn convolution(&self, name: &str, outputs: usize, inputs: usize, kernel: usize) -> Result<Matrix> {
        let shape = [outputs, inputs, kernel, kernel];
        Ok(self.source.matrix(&self.name(name), &shape)?.computing(self.compute).scaling(self.activation_scales))
    }

    /// All values of a small tensor as `f32`.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.source.tensor(&self.name(name), shape)
    }

    /// All values of a vector as `f32`.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>> {
        self.tensor(name, &[len])
    }

    /// All values of a tensor that may be absent, or zeros only.
    pub fn nonzero(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        self.source.nonzero(&self.name(name), shape)
    }

    /// The bytes of all weights behind the scope, mapped or in memory.
    pub fn buffers(&self) -> Vec<Buffer> {
        self.source.buffers()
    }
}
