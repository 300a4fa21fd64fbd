//! Which inputs an output of one direction reads, and how much of each.

use std::ops::Range;

use super::super::memory::{self, OutOfMemory};
use super::{Filter, PRECISION_BITS};

/// One direction of a resize of which only some outputs are wanted.
#[derive(Clone)]
pub(super) struct Axis {
    /// Inputs.
    pub(super) from: usize,
    /// Outputs of the whole resize.
    pub(super) to: usize,
    /// The outputs that are wanted.
    pub(super) wanted: Range<usize>,
}

impl Axis {
    /// A size that stays needs no pass.
    pub(super) fn changes(&self) -> bool {
        self.from != self.to
    }

    /// The inputs that the wanted outputs read.
    pub(super) fn inputs(&self, filter: Filter) -> Range<usize> {
        if !self.changes() {
            return self.wanted.clone();
        }
        let taps = Taps::new(filter, self, 0);
        taps.span(self.wanted.start).start..taps.span(self.wanted.end - 1).end
    }
}

/// The coefficients of one direction, made one output position at a time: for an extreme ratio all of them together
/// would take more memory than the image.
pub(super) struct Taps {
    filter: Filter,
    input: usize,
    scale: f64,
    filter_scale: f64,
    /// The first output that is wanted, and the input at which the data begins.
    first: usize,
    origin: usize,
    weights: Vec<f64>,
    fixed: Vec<i32>,
}

impl Taps {
    /// For data that begins at the input `origin`.
    pub(super) fn new(filter: Filter, axis: &Axis, origin: usize) -> Self {
        let scale = axis.from as f64 / axis.to as f64;
        let (filter_scale, first) = (scale.max(1.0), axis.wanted.start);
        Taps { filter, input: axis.from, scale, filter_scale, first, origin, weights: Vec::new(), fixed: Vec::new() }
    }

    fn center(&self, position: usize) -> f64 {
        (position as f64 + 0.5) * self.scale
    }

    /// The inputs that an output reads.
    fn span(&self, position: usize) -> Range<usize> {
        let (center, support) = (self.center(position), self.filter.support() * self.filter_scale);
        // Casts to integers truncate and saturate at zero, which is what clipping to the image needs.
        (center - support + 0.5) as usize..((center + support + 0.5) as usize).min(self.input)
    }

    /// Where the i-th wanted output begins to read in the data, and its coefficients.
    pub(super) fn at(&mut self, i: usize) -> Result<(usize, &[i32]), OutOfMemory> {
        let position = self.first + i;
        let (center, span, inverse) = (self.center(position), self.span(position), 1.0 / self.filter_scale);
        self.weights.clear();
        self.fixed.clear();
        memory::more(&mut self.weights, span.len())?;
        memory::more(&mut self.fixed, span.len())?;
        let mut sum = 0.0;
        for i in 0..span.len() {
            let weight = self.filter.weight((i as f64 + span.start as f64 - center + 0.5) * inverse);
            self.weights.push(weight);
            sum += weight;
        }
        let one = f64::from(1u32 << PRECISION_BITS);
        self.fixed.extend(self.weights.iter().map(|&weight| {
            let weight = if sum == 0.0 { weight } else { weight / sum };
            (weight * one + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
        }));
        Ok((span.start - self.origin, &self.fixed))
    }
}
