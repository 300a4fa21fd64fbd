//! From candle tensors to the slices that kernels work on, and back.
//!
//! No arithmetic of candle's own is used on tensors: beyond a size it runs on a static pool of spinning threads, which
//! does not survive a fork.

use std::cell::Cell;

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Storage, Tensor};

use crate::{kernels, runtime, Error, Result};

/// Calls `f` with the values of a contiguous `f32` CPU tensor.
pub fn with_values<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    with_all([x], |[x]| f(x))
}

/// Calls `f` with the values of each of several contiguous `f32` CPU tensors.
pub fn with_all<const N: usize, R>(tensors: [&Tensor; N], f: impl FnOnce([&[f32]; N]) -> R) -> Result<R> {
    let storages = tensors.map(|tensor| (tensor, tensor.storage_and_layout()));
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, (tensor, (storage, layout))) in slices.iter_mut().zip(&storages) {
        *slice = values(tensor, storage, layout)?;
    }
    Ok(f(slices))
}

fn values<'a>(x: &Tensor, storage: &'a Storage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(&values[start..end]),
        _ => Err(Error::Internal(format!("expected a contiguous f32 tensor on the CPU, got {x:?}"))),
    }
}

/// Calls `f` with the values of a contiguous `f32` CPU tensor, to change them. Every clone of `x` sees the change.
pub fn in_place(x: &Tensor, f: impl FnOnce(&mut [f32])) -> Result<()> {
    struct Change<F>(Cell<Option<F>>);

    impl<F: FnOnce(&mut [f32])> InplaceOp1 for Change<F> {
        fn name(&self) -> &'static str {
            "in_place"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
            match (storage, layout.contiguous_offsets(), self.0.take()) {
                (CpuStorage::F32(values), Some((start, end)), Some(f)) => f(&mut values[start..end]),
                _ => candle_core::bail!("expected a contiguous f32 tensor on the CPU"),
            }
            Ok(())
        }
    }

    Ok(x.inplace_op1(&Change(Cell::new(Some(f))))?)
}

/// A new `[rows, channels]` tensor that `f(input, output)` fills; `x` is `[rows, _]`.
pub fn map_rows(x: &Tensor, channels: usize, f: impl FnOnce(&[f32], &mut [f32])) -> Result<Tensor> {
    let count = rows(x)?;
    let mut out = runtime::zeros(count * channels);
    with_values(x, |x| f(x, &mut out))?;
    Ok(Tensor::from_vec(out, (count, channels), &Device::Cpu)?)
}

/// `len` values of a buffer that is kept, whatever they are.
pub fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        // The old one goes first, and nothing of it is copied.
        drop(std::mem::take(buffer));
        *buffer = runtime::zeros(len);
    }
    &mut buffer[..len]
}

/// Rows of a tile: at most `most`, and as many tiles for every thread.
pub(super) fn even_tile(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).next_multiple_of(rayon::current_num_threads()).max(1)).max(1)
}

/// The number of rows of a `[rows, channels]` tensor.
pub fn rows(x: &Tensor) -> Result<usize> {
    Ok(x.dims2()?.0)
}

/// `x + y`, both `[rows, channels]`.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    with_values(y, |y| {
        map_rows(x, y.len() / rows(x)?.max(1), |x, out| {
            out.copy_from_slice(x);
            kernels::add(out, y);
        })
    })?
}

/// The rows of `x`, then those of `y`, both `[rows, channels]`.
pub fn concat(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (count, channels) = (rows(x)? + rows(y)?, x.dims2()?.1);
    let values = with_values(x, |x| with_values(y, |y| [x, y].concat()))??;
    Ok(Tensor::from_vec(values, (count, channels), &Device::Cpu)?)
}
