//! Making an axis shorter: a box of whole pixels, then lanczos3 for the rest.

use std::f64::consts::PI;

use multiversion::multiversion;

use super::{place, BITS, HALF, PHASES};

/// One axis of an image made shorter.
pub(super) struct Reduction {
    /// Pixels whose mean comes first.
    block: usize,
    lanczos: Option<Lanczos>,
    output: usize,
}

struct Lanczos {
    /// Source pixels, after the box, for one of the output.
    shrink: f64,
    /// Where the first output pixel lies in the padded source.
    first: f64,
    taps: usize,
    /// `taps` coefficients for each phase, the last one included.
    masks: Vec<i32>,
}

impl Reduction {
    /// From `input` to `output` pixels, by a `scale` below 1.
    pub(super) fn new(input: usize, output: usize, scale: f64) -> Self {
        let mut shrink = 1.0 / scale;
        let mut extra = output as f64 * shrink - input as f64;
        let block = ((input as f64 / output as f64 / 2.0).floor() as usize).max(1);
        shrink /= block as f64;
        extra /= block as f64;
        let lanczos = (shrink != 1.0).then(|| Lanczos::new(shrink, extra));
        Self { block, lanczos, output }
    }

    /// Rows of `stride` bytes to fewer of them.
    pub(super) fn rows(&self, data: &[u8], stride: usize) -> Vec<u8> {
        let means = (self.block > 1).then(|| {
            let count = data.len() / stride;
            let mut out = vec![0; count.div_ceil(self.block) * stride];
            let mut sums = vec![0u32; stride];
            for (y, out) in out.chunks_exact_mut(stride).enumerate() {
                sums.fill(self.block as u32 / 2);
                for row in y * self.block..(y + 1) * self.block {
                    add_row(&mut sums, &data[row.min(count - 1) * stride..][..stride]);
                }
                out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = (sum / self.block as u32) as u8);
            }
            out
        });
        let source = means.as_deref().unwrap_or(data);
        let Some(lanczos) = &self.lanczos else { return source.to_vec() };
        let last = source.len() / stride - 1;
        let mut out = vec![0; self.output * stride];
        let mut sums = vec![0i32; stride];
        for ((at, mask), out) in lanczos.positions().zip(out.chunks_exact_mut(stride)) {
            sums.fill(HALF);
            for (tap, &coefficient) in mask.iter().enumerate() {
                let row = (at + tap).saturating_sub(lanczos.padding()).min(last);
                add_scaled_row(&mut sums, &source[row * stride..][..stride], coefficient);
            }
            out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = clip(sum));
        }
        out
    }

    /// Rows of `width` pixels to narrower ones.
    pub(super) fn columns(&self, data: &[u8], width: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() / width * self.output);
        let (mut means, mut padded) = (Vec::new(), Vec::new());
        let places: Vec<_> = self.lanczos.iter().flat_map(Lanczos::positions).take(self.output).collect();
        for row in data.chunks_exact(width * 3) {
            let mut row = row;
            if self.block > 1 {
                means.clear();
                row.chunks(self.block * 3).for_each(|block| means.extend(mean(block, self.block)));
                row = &means;
            }
            let Some(lanczos) = &self.lanczos else {
                out.extend_from_slice(row);
                continue;
            };
            padded.clear();
            (0..lanczos.padding()).for_each(|_| padded.extend_from_slice(&row[..3]));
            padded.extend_from_slice(row);
            // The last output pixel reaches at most so far beyond the end.
            (0..lanczos.taps).for_each(|_| padded.extend_from_slice(&row[row.len() - 3..]));
            weigh(&padded, &places, &mut out);
        }
        out
    }
}

impl Lanczos {
    fn new(shrink: f64, extra: f64) -> Self {
        let taps = 2 * (3.0 * shrink).round_ties_even() as usize + 1;
        let mut masks = Vec::with_capacity((PHASES + 1) * taps);
        for phase in 0..=PHASES {
            let center = phase as f64 / PHASES as f64 + taps as f64 / 2.0 - 1.0;
            let weights: Vec<f64> = (0..taps).map(|tap| weight((tap as f64 - center) / shrink)).collect();
            let sum: f64 = weights.iter().sum();
            // libvips keeps the coefficients as short integers and cuts their fraction.
            masks.extend(weights.iter().map(|weight| (weight / sum * f64::from(1 << BITS)) as i32));
        }
        let first = 0.5 * shrink - 0.5 - ((1.0 + extra) / 2.0 - 1.0);
        Self { shrink, first, taps, masks }
    }

    /// Copies of the first pixel before the source.
    fn padding(&self) -> usize {
        self.taps.div_ceil(2) - 1
    }

    /// For one output pixel after the other the first padded source pixel and the coefficients, without end.
    fn positions(&self) -> impl Iterator<Item = (usize, &[i32])> {
        // Added up as libvips does: a product would round differently.
        std::iter::successors(Some(self.first), |position| Some(position + self.shrink)).map(|position| {
            let (at, phase) = place(position);
            (at, &self.masks[phase * self.taps..][..self.taps])
        })
    }
}

fn weight(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    if x.abs() > 3.0 {
        return 0.0;
    }
    let x = x * PI;
    (x.sin() / x) * ((x / 3.0).sin() / (x / 3.0))
}

/// The mean of `count` pixels, of which the last may have to be repeated.
fn mean(block: &[u8], count: usize) -> [u8; 3] {
    let missing = count - block.len() / 3;
    [0, 1, 2].map(|channel| {
        let last = u32::from(block[block.len() - 3 + channel]);
        let sum: u32 = block[channel..].iter().step_by(3).map(|&value| u32::from(value)).sum();
        ((sum + last * missing as u32 + count as u32 / 2) / count as u32) as u8
    })
}

fn clip(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// One row of pixels by the masks.
fn weigh(padded: &[u8], places: &[(usize, &[i32])], out: &mut Vec<u8>) {
    for (at, mask) in places {
        let mut sums = [HALF; 3];
        for (pixel, coefficient) in padded[at * 3..].chunks_exact(3).zip(*mask) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(value) * coefficient;
            }
        }
        out.extend(sums.map(clip));
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add_row(sums: &mut [u32], row: &[u8]) {
    sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += u32::from(value));
}

#[multiversion(targets("x86_64+avx2"))]
fn add_scaled_row(sums: &mut [i32], row: &[u8], coefficient: i32) {
    sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += i32::from(value) * coefficient);
}
