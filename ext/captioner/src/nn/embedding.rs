use candle_core::{Device, Tensor};

use crate::kernels::Matrix;
use crate::{Error, Result};

/// A table of rows, looked up by index.
pub struct Embedding {
    table: Matrix,
    scale: f32,
}

impl Embedding {
    /// `scale` multiplies every row that is looked up.
    pub fn new(table: Matrix, scale: f32) -> Self {
        Self { table, scale }
    }

    /// `indices` to `[indices, channels]`.
    pub fn forward(&self, indices: impl IntoIterator<Item = usize>) -> Result<Tensor> {
        let channels = self.table.cols();
        let mut out = Vec::new();
        for index in indices {
            if index >= self.table.rows() {
                return Err(Error::Internal(format!("row {index} of a table of {}", self.table.rows())));
            }
            let at = out.len();
            out.resize(at + channels, 0.0);
            self.table.dequantize_rows(index..index + 1, &mut out[at..]);
        }
        out.iter_mut().for_each(|v| *v *= self.scale);
        let count = out.len() / channels;
        Ok(Tensor::from_vec(out, (count, channels), &Device::Cpu)?)
    }
}
