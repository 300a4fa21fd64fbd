//! Where a panel's products go.

use super::WIDTH;
use crate::kernels::elementwise;
use crate::kernels::epilogue::Epilogue;

/// Rows of an output, and which of their features a panel stands for.
pub struct Output<'a> {
    pub(super) out: &'a mut [f32],
    /// Floats of a row.
    pub(super) stride: usize,
    pub(super) first: usize,
    /// Features of this panel that there are.
    pub(super) width: usize,
    /// The panel's biases, zero where there are none.
    pub(super) bias: [f32; WIDTH],
    pub(super) epilogue: Epilogue,
}

impl<'a> Output<'a> {
    /// Features `first..` of `out`, `[rows, stride]`; `bias` holds one for each feature of a row.
    pub fn new(out: &'a mut [f32], stride: usize, first: usize, bias: Option<&[f32]>, epilogue: Epilogue) -> Self {
        let width = WIDTH.min(stride - first);
        let mut own = [0.0; WIDTH];
        if let Some(bias) = bias {
            own[..width].copy_from_slice(&bias[first..first + width]);
        }
        Self { out, stride, first, width, bias: own, epilogue }
    }

    /// # Panics
    /// If there is no room for `rows`, or not a scale for each feature of a panel.
    pub(super) fn check(&self, rows: usize, scales: &[f32]) {
        assert!(self.out.len() == rows * self.stride && self.first + self.width <= self.stride);
        assert_eq!(scales.len(), WIDTH);
    }

    /// Writes one row's products.
    pub(super) fn finish(&mut self, row: usize, products: [f32; WIDTH]) {
        let mut values: [f32; WIDTH] = std::array::from_fn(|i| products[i] + self.bias[i]);
        let out = &mut self.out[row * self.stride + self.first..][..self.width];
        match self.epilogue {
            Epilogue::Store => {}
            Epilogue::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            Epilogue::Gelu => elementwise::gelu(&mut values),
            Epilogue::GeluTanh => elementwise::gelu_tanh(&mut values),
            Epilogue::Silu => elementwise::silu(&mut values),
            Epilogue::Add => values.iter_mut().zip(&*out).for_each(|(v, out)| *v += out),
            Epilogue::Multiply => values.iter_mut().zip(&*out).for_each(|(v, out)| *v *= out),
        }
        out.copy_from_slice(&values[..self.width]);
    }
}
