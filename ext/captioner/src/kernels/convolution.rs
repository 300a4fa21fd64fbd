//! The two convolutions of DaViT over channels-last images `[height, width, channels]`.

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

/// `out = x + depthwise3x3(x) + bias`, zero padding of one; `kernel` is `[9, channels]`, tap-major.
pub fn depthwise_3x3_residual(x: &[f32], width: usize, kernel: &[f32], bias: &[f32], out: &mut [f32]) {
    let channels = bias.len();
    let height = x.len() / (width * channels);
    out.par_chunks_mut(width * channels)
        .enumerate()
        .for_each(|(y, out)| depthwise_row(x, y, height, width, kernel, bias, out));
}

#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
fn depthwise_row(x: &[f32], y: usize, height: usize, width: usize, kernel: &[f32], bias: &[f32], out: &mut [f32]) {
    let channels = bias.len();
    for column in 0..width {
        let out = &mut out[column * channels..(column + 1) * channels];
        let centre = (y * width + column) * channels;
        for ((out, x), b) in out.iter_mut().zip(&x[centre..centre + channels]).zip(bias) {
            *out = x + b;
        }
        for ky in usize::from(y == 0)..3 - usize::from(y + 1 == height) {
            for kx in usize::from(column == 0)..3 - usize::from(column + 1 == width) {
                let at = ((y + ky - 1) * width + column + kx - 1) * channels;
                let tap = &kernel[(ky * 3 + kx) * channels..][..channels];
                for ((out, x), w) in out.iter_mut().zip(&x[at..at + channels]).zip(tap) {
                    *out += x * w;
                }
            }
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
    use super::*;

    #[test]
    fn depthwise_equals_the_definition() {
        let (height, width, channels) = (4, 5, 3);
        let x: Vec<f32> = (0..height * width * channels).map(|i| (i % 11) as f32 - 5.0).collect();
        let kernel: Vec<f32> = (0..9 * channels).map(|i| i as f32 * 0.1).collect();
        let bias = [0.5, -1.0, 2.0];
        let mut out = vec![0.0; x.len()];
        depthwise_3x3_residual(&x, width, &kernel, &bias, &mut out);
        for y in 0..height as isize {
            for c in 0..width as isize {
                for ch in 0..channels {
                    let mut sum = bias[ch] + x[(y as usize * width + c as usize) * channels + ch];
                    for (dy, dx) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx))) {
                        let (yy, xx) = (y + dy, c + dx);
                        if (0..height as isize).contains(&yy) && (0..width as isize).contains(&xx) {
                            let tap = ((dy + 1) * 3 + dx + 1) as usize;
                            sum += kernel[tap * channels + ch] * x[(yy as usize * width + xx as usize) * channels + ch];
                        }
                    }
                    assert!((out[(y as usize * width + c as usize) * channels + ch] - sum).abs() < 1e-4);
                }
            }
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
