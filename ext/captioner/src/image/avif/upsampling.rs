//! Chroma at every pixel, in libyuv's integers (scale_common.cc): a pixel lies a quarter of a sample away from the nearest one.

use super::planes::Planes;

/// The two rows of chroma that a row of pixels lies between: the nearer one and the other one, None at the edges.
fn rows(planes: &Planes, y: usize, down: u32) -> (usize, Option<usize>) {
    if down == 0 {
        return (y, None);
    }
    let near = y / 2;
    let far = if y.is_multiple_of(2) { near.checked_sub(1) } else { Some(near + 1) };
    (near, far.filter(|&far| far * 2 < planes.height))
}

/// One plane of chroma at the pixels of a row. `shift` bits are dropped from each sample before.
pub(super) struct Upsampler {
    near: Vec<u16>,
    far: Vec<u16>,
    shift: u32,
    is_nearest: bool,
}

impl Upsampler {
    /// Takes two buffers of as many samples as a row of chroma has, and whether nothing is mixed.
    pub(super) fn new(near: Vec<u16>, far: Vec<u16>, shift: u32, is_nearest: bool) -> Self {
        Upsampler { near, far, shift, is_nearest }
    }

    /// Fills `wide` with row `y` of plane 1 or 2.
    pub(super) fn row(&mut self, planes: &Planes, plane: usize, y: usize, wide: &mut [u16]) {
        let (across, down) = planes.subsampling.unwrap_or_default();
        let (near, far) = rows(planes, y, down);
        let shift = self.shift;
        let read = |row: usize, samples: &mut [u16]| {
            planes.read(plane, row, samples);
            if shift > 0 {
                samples.iter_mut().for_each(|sample| *sample >>= shift);
            }
        };
        read(near, &mut self.near);
        if across == 0 {
            return wide.copy_from_slice(&self.near);
        }
        if self.is_nearest {
            return wide.chunks_mut(2).zip(&self.near).for_each(|(pair, &sample)| pair.fill(sample));
        }
        let last = (wide.len() - 1) / 2;
        let end = wide.len() - 1;
        match far {
            None => {
                let near = &self.near;
                for (pair, x) in wide[1..].chunks_exact_mut(2).zip(0..) {
                    pair[0] = (near[x] * 3 + near[x + 1] + 2) >> 2;
                    pair[1] = (near[x] + near[x + 1] * 3 + 2) >> 2;
                }
                (wide[0], wide[end]) = (near[0], near[last]);
            }
            Some(far) => {
                read(far, &mut self.far);
                let (near, far) = (&self.near, &self.far);
                for (pair, x) in wide[1..].chunks_exact_mut(2).zip(0..) {
                    let (left, right) = (near[x] * 3 + far[x], near[x + 1] * 3 + far[x + 1]);
                    pair[0] = (left * 3 + right + 8) >> 4;
                    pair[1] = (left + right * 3 + 8) >> 4;
                }
                wide[0] = (near[0] * 3 + far[0] + 2) >> 2;
                wide[end] = (near[last] * 3 + far[last] + 2) >> 2;
            }
        }
    }
}
