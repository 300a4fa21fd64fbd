//! A weight made ready for many rows, that many tasks work off in pieces.

use std::cell::RefCell;

use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::f32_rows::f32_rows;
use super::few_rows::{Job, Regime};
use super::panels::{bf16, int8, Output, WIDTH};
use super::{few_rows, Arithmetic, Isa, Matrix};

/// A weight that is unpacked, as far as its arithmetic wants it unpacked, once for all pieces of a product.
pub struct Ready<'a> {
    weight: &'a Matrix,
    panels: Panels,
}

enum Panels {
    /// For the kernels of [`Regime::Few`], which need nothing.
    Few,
    /// Rows of the weight are read as they are needed.
    None,
    Int8(Vec<int8::Panel>),
    Bf16(Vec<bf16::Panel>),
}

thread_local! {
    static ROUNDED: RefCell<(int8::Activations, bf16::Activations)> = RefCell::default();
}

impl<'a> Ready<'a> {
    /// Unpacks `weight` on all threads of the pool, unless it is for a few rows.
    pub fn new(weight: &'a Matrix, regime: Regime) -> Self {
        let isa = Isa::current();
        let panels = (0..weight.rows().div_ceil(WIDTH)).into_par_iter();
        let panels = match weight.arithmetic() {
            _ if regime == Regime::Few => Panels::Few,
            Arithmetic::F32 => Panels::None,
            Arithmetic::Int8 => Panels::Int8(panels.map(|i| int8::Panel::unpack(isa, weight, i * WIDTH)).collect()),
            Arithmetic::Bf16 => Panels::Bf16(panels.map(|i| bf16::Panel::unpack(isa, weight, i * WIDTH)).collect()),
        };
        Self { weight, panels }
    }

    /// Output features.
    pub fn outputs(&self) -> usize {
        self.weight.rows()
    }

    /// `out = epilogue(x · wᵀ + bias)` for a piece of the rows: `x` is `[m, cols]`, `out` is `[m, rows]`, both row-major.
    /// Runs on the calling thread, but a few rows use all.
    pub fn multiply(&self, x: &[f32], bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [f32]) {
        multiply_each(x, vec![Piece { weight: self, bias, out }], epilogue);
    }
}

/// One of several products with the same rows.
pub struct Piece<'a> {
    pub weight: &'a Ready<'a>,
    /// `[rows]`
    pub bias: Option<&'a [f32]>,
    /// `[m, rows]`
    pub out: &'a mut [f32],
}

/// [`Ready::multiply`] with each of several weights; `x` is rounded once for all.
pub fn multiply_each(x: &[f32], pieces: Vec<Piece>, epilogue: Epilogue) {
    let Some(k) = pieces.first().map(|piece| piece.weight.weight.cols()) else { return };
    let (m, isa) = (x.len() / k, Isa::current());
    let fits = |piece: &Piece| piece.weight.weight.cols() == k && piece.out.len() == m * piece.weight.outputs();
    assert!(x.len() == m * k && pieces.iter().all(fits), "product: shapes do not fit");
    let is_few = |piece: &Piece| match piece.weight.panels {
        Panels::Few => true,
        // The last piece of many rows may have a few.
        Panels::None => Regime::of(m) == Regime::Few,
        Panels::Int8(_) | Panels::Bf16(_) => false,
    };
    if pieces.iter().all(is_few) {
        let jobs = pieces.into_iter().map(|Piece { weight, bias, out }| Job { weight: weight.weight, bias, out });
        return few_rows::few_rows(x, jobs.collect(), epilogue);
    }
    ROUNDED.with_borrow_mut(|(int8, bf16)| {
        let (mut int8_scales, mut bf16_is_fresh) = (None, false);
        for Piece { weight, bias, out } in pieces {
            let n = weight.outputs();
            let mut output = |panel: usize, multiply: &dyn Fn(&mut Output)| {
                multiply(&mut Output::new(out, n, panel * WIDTH, bias, epilogue));
            };
            match &weight.panels {
                Panels::Few | Panels::None => f32_rows(x, weight.weight, bias, epilogue, out),
                Panels::Int8(panels) => {
                    let scales = weight.weight.activation_scales();
                    if int8_scales.replace(scales) != Some(scales) {
                        int8.round(isa, x, k, scales);
                    }
                    for (i, panel) in panels.iter().enumerate() {
                        output(i, &|output| panel.multiply(isa, int8, output));
                    }
                }
                Panels::Bf16(panels) => {
                    if !std::mem::replace(&mut bf16_is_fresh, true) {
                        bf16.round(x, k);
                    }
                    for (i, panel) in panels.iter().enumerate() {
                        output(i, &|output| panel.multiply(isa, bf16, output));
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::{int8, nf4, values};
    use crate::kernels::{elementwise, Compute};

    /// What an epilogue makes of a product and of what is there before.
    fn definition(epilogue: Epilogue, product: f32, before: f32) -> f32 {
        let mut value = [product];
        match epilogue {
            Epilogue::Store => {}
            Epilogue::Gelu => elementwise::gelu(&mut value),
            Epilogue::GeluTanh => elementwise::gelu_tanh(&mut value),
            Epilogue::Silu => elementwise::silu(&mut value),
            Epilogue::Relu => value[0] = product.max(0.0),
            Epilogue::Add => value[0] = product + before,
            Epilogue::Multiply => value[0] = product * before,
        }
        value[0]
    }

    #[test]
    fn every_arithmetic_knows_every_epilogue() {
        let (n, k) = (70, 128);
        let (nf4, int8) = (nf4(n, k, 64), int8(n, k));
        let weights = [Compute::Fast, Compute::Bf16, Compute::Exact].map(|compute| nf4.clone().computing(compute));
        for weight in weights.iter().chain([&int8.computing(Compute::Fast)]) {
            for rows in [3, 21] {
                let (x, bias, before) = (values(rows * k, 1), values(n, 2), values(rows * n, 3));
                let ready = Ready::new(weight, Regime::of(rows));
                let run = |epilogue| {
                    let mut out = before.clone();
                    ready.multiply(&x, Some(&bias), epilogue, &mut out);
                    out
                };
                let products = run(Epilogue::Store);
                use Epilogue::{Add, Gelu, GeluTanh, Multiply, Relu, Silu};
                for epilogue in [Gelu, GeluTanh, Silu, Relu, Add, Multiply] {
                    for (i, out) in run(epilogue).into_iter().enumerate() {
                        let expected = definition(epilogue, products[i], before[i]);
                        let tolerance = 2e-4 + 1e-4 * expected.abs() + 2e-6 * products[i].abs();
                        let near = (out - expected).abs() <= tolerance;
                        assert!(near, "{epilogue:?} of {} is {out}, not {expected}", products[i]);
                    }
                }
            }
        }
    }
}
