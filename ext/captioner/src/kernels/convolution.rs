//! The two convolutions of DaViT over channels-last images `[height, width, channels]`.

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{dispatched, Vector};
use super::Scratch;

/// `x += depthwise3x3(x) + bias`, zero padding of one; `kernel` is `[9, channels]`, tap-major.
///
/// In place, by bands of image rows: a task saves each row before it overwrites it; the rows on either side of a border
/// between two bands are saved before any task starts.
pub fn depthwise_3x3_residual(x: &mut [f32], width: usize, kernel: &[f32], bias: &[f32]) {
    let row = width * bias.len();
    let height = x.len() / row;
    let band = height.div_ceil(4 * rayon::current_num_threads()).max(4);
    let borders: Vec<&[f32]> = (1..height.div_ceil(band)).map(|b| &x[(b * band - 1) * row..][..2 * row]).collect();
    let borders = borders.concat();
    x.par_chunks_mut(band * row).enumerate().for_each(|(b, rows)| {
        let above = (b > 0).then(|| &borders[(2 * b - 2) * row..][..row]);
        let below = borders.get((2 * b + 1) * row..).and_then(|after| after.get(..row));
        depthwise_band(rows, (above, below), width, kernel, bias);
    });
}

/// Some image rows, between the rows `above` and `below` or the edges of the image.
fn depthwise_band(
    x: &mut [f32],
    (above, below): (Option<&[f32]>, Option<&[f32]>),
    width: usize,
    kernel: &[f32],
    bias: &[f32],
) {
    let channels = bias.len();
    let (row, height) = (width * channels, x.len() / (width * channels));
    // The last three rows as they were, each with a pixel of zeros before and after it.
    let padded = row + 2 * channels;
    let mut saved = Scratch::zeros(3 * padded);
    let (mut first, rest) = saved.split_at_mut(padded);
    let (mut second, mut third) = rest.split_at_mut(padded);
    let save = |place: &mut [f32], values: Option<&[f32]>| match values {
        Some(values) => place[channels..channels + row].copy_from_slice(values),
        None => place.fill(0.0),
    };
    save(first, above);
    save(second, Some(&x[..row]));
    for y in 0..height {
        save(third, if y + 1 < height { Some(&x[(y + 1) * row..][..row]) } else { below });
        depthwise_row([first, second, third], kernel, bias, &mut x[y * row..][..row]);
        (first, second, third) = (second, third, first);
    }
}

/// Pixels of one block of outputs: their sums stay in registers, and each tap is read once for all of them.
const PIXELS: usize = 4;

dispatched! {
    /// One image row from the three padded rows around it.
    pub fn depthwise_row(rows: [&[f32]; 3], kernel: &[f32], bias: &[f32], out: &mut [f32]) = depthwise_row_kernel
}

#[inline(always)]
unsafe fn depthwise_row_kernel<V: Vector>(rows: [&[f32]; 3], kernel: &[f32], bias: &[f32], out: &mut [f32]) {
    let channels = bias.len();
    assert!(kernel.len() == 9 * channels && rows.iter().all(|row| row.len() >= out.len() + 2 * channels));
    let whole = channels / V::LANES * V::LANES;
    for (block, out) in out.chunks_mut(PIXELS * channels).enumerate() {
        let rows = rows.map(|row| &row[block * PIXELS * channels..]);
        if out.len() == PIXELS * channels {
            depthwise_pixels::<V, PIXELS>(rows, kernel, bias, out, 0..whole);
            depthwise_pixels::<f32, PIXELS>(rows, kernel, bias, out, whole..channels);
        } else {
            for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
                let rows = rows.map(|row| &row[pixel * channels..]);
                depthwise_pixels::<V, 1>(rows, kernel, bias, out, 0..whole);
                depthwise_pixels::<f32, 1>(rows, kernel, bias, out, whole..channels);
            }
        }
    }
}

/// `P` pixels, a vector of channels at a time. The padded rows begin a pixel before the output.
#[inline(always)]
unsafe fn depthwise_pixels<V: Vector, const P: usize>(
    rows: [&[f32]; 3],
    kernel: &[f32],
    bias: &[f32],
    out: &mut [f32],
    range: Range<usize>,
) {
    let channels = bias.len();
    for channel in range.step_by(V::LANES) {
        let mut sums = [V::load(bias.as_ptr().add(channel)); P];
        for (ky, row) in rows.into_iter().enumerate() {
            let tap = |kx: usize| V::load(kernel.as_ptr().add((3 * ky + kx) * channels + channel));
            let taps = [tap(0), tap(1), tap(2)];
            for at in 0..P + 2 {
                let x = V::load(row.as_ptr().add(at * channels + channel));
                for kx in 0..3 {
                    if at >= kx && at - kx < P {
                        sums[at - kx] = x.mul_add(taps[kx], sums[at - kx]);
                    }
                }
                if ky == 1 && at >= 1 && at <= P {
                    sums[at - 1] = sums[at - 1].add(x);
                }
            }
        }
        for (pixel, sum) in sums.into_iter().enumerate() {
            sum.store(out.as_mut_ptr().add(pixel * channels + channel));
        }
    }
}

/// Geometry of a strided convolution that embeds patches.
#[derive(Debug, Clone, Copy)]
pub struct Patches {
    /// Channels of the input.
    pub channels: usize,
    /// Height and width of the input.
    pub input: (usize, usize),
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step in both directions.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: usize,
}

impl Patches {
    /// Height and width of the output.
    pub fn output(&self) -> (usize, usize) {
        let side = |n: usize| (n + 2 * self.padding - self.kernel) / self.stride + 1;
        (side(self.input.0), side(self.input.1))
    }

    /// Values in one gathered patch, the `K` of the product with the weight `[out, channels * kernel * kernel]`.
    pub fn values(&self) -> usize {
        self.channels * self.kernel * self.kernel
    }

    /// Gathers the patches of output positions `rows` (row-major) into `out`, `[rows, channels, kernel, kernel]`: the
    /// order in which convolution weights are stored.
    pub fn gather(&self, x: &[f32], rows: Range<usize>, out: &mut [f32]) {
        let (height, width) = (self.input.0 as isize, self.input.1 as isize);
        let columns = self.output().1;
        for (position, patch) in rows.zip(out.chunks_exact_mut(self.values())) {
            let top = (position / columns * self.stride) as isize - self.padding as isize;
            let left = (position % columns * self.stride) as isize - self.padding as isize;
            for ky in 0..self.kernel {
                for kx in 0..self.kernel {
                    let (y, x_at) = (top + ky as isize, left + kx as isize);
                    let tap = ky * self.kernel + kx;
                    let taps = patch[tap..].iter_mut().step_by(self.kernel * self.kernel);
                    if y < 0 || y >= height || x_at < 0 || x_at >= width {
                        taps.for_each(|p| *p = 0.0);
                    } else {
                        let at = (y * width + x_at) as usize * self.channels;
                        taps.zip(&x[at..at + self.channels]).for_each(|(p, v)| *p = *v);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::versions;
    use super::*;

    #[test]
    fn depthwise_equals_the_definition() {
        for (height, width, channels) in [(4, 5, 3), (1, 1, 16), (9, 7, 20), (24, 6, 32), (13, 8, 16)] {
            let x: Vec<f32> = (0..height * width * channels).map(|i| (i % 11) as f32 - 5.0).collect();
            let kernel: Vec<f32> = (0..9 * channels).map(|i| i as f32 * 0.01).collect();
            let bias: Vec<f32> = (0..channels).map(|i| i as f32 - 1.5).collect();
            let mut out = x.clone();
            depthwise_3x3_residual(&mut out, width, &kernel, &bias);
            for (at, out) in out.iter().enumerate() {
                let (y, column, channel) = (at / channels / width, at / channels % width, at % channels);
                let mut sum = bias[channel] + x[at];
                for (dy, dx) in (0..3).flat_map(|dy| (0..3).map(move |dx| (dy, dx))) {
                    let (yy, xx) = (y + dy, column + dx);
                    if (1..=height).contains(&yy) && (1..=width).contains(&xx) {
                        let pixel = (yy - 1) * width + xx - 1;
                        sum += kernel[(dy * 3 + dx) * channels + channel] * x[pixel * channels + channel];
                    }
                }
                assert!((out - sum).abs() < 1e-3, "{height}x{width}x{channels} at {at}: {out} {sum}");
            }
        }
    }

    #[test]
    fn every_vector_gives_the_same_row() {
        for (width, channels) in [(1, 5), (9, 16), (4, 37)] {
            let row: Vec<f32> = (0..(width + 2) * channels).map(|i| (i * 7 % 23) as f32 - 11.0).collect();
            let kernel: Vec<f32> = (0..9 * channels).map(|i| (i % 13) as f32 * 0.1).collect();
            let bias = vec![0.5; channels];
            let mut expected = vec![0.0; width * channels];
            // SAFETY: a vector of one lane needs nothing.
            unsafe { depthwise_row_kernel::<f32>([&row; 3], &kernel, &bias, &mut expected) };
            versions!(V => {
                let mut out = vec![0.0; width * channels];
                depthwise_row_kernel::<V>([&row; 3], &kernel, &bias, &mut out);
                assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3), "{width}x{channels}");
            });
        }
    }

    #[test]
    fn patches_cover_the_padded_image() {
        let patches = Patches { channels: 2, input: (5, 4), kernel: 3, stride: 2, padding: 1 };
        assert_eq!(patches.output(), (3, 2));
        let x: Vec<f32> = (1..=40).map(|v| v as f32).collect();
        let mut out = vec![-1.0; 6 * patches.values()];
        patches.gather(&x, 0..6, &mut out);
        // The first patch: its centre is pixel (0, 0), its first row and column are padding.
        assert_eq!(&out[..9], &[0.0, 0.0, 0.0, 0.0, 1.0, 3.0, 0.0, 9.0, 11.0]);
        assert_eq!(&out[9..18], &[0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 0.0, 10.0, 12.0]);
    }
}
