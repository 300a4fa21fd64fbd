//! Blocks of a progressive file that never sent all coefficients: the first of them are estimated from the averages of
//! the neighbourhood, as libjpeg-turbo does (jdcoefct.c).

use super::{Component, Frame};

/// How well the first ten coefficients of a component are known: the bits that are missing, or -1 for all.
pub(super) type Known = [i32; 64];

/// Places of the first ten coefficients of the file, in natural order.
const PLACES: [usize; 10] = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24];

/// What each of the 5 x 5 averages around a block adds to an estimate, times 256.
type Kernel = [i32; 25];

/// One estimate mirrored along the diagonal: rows become columns.
const fn transposed(kernel: Kernel) -> Kernel {
    let mut out = [0; 25];
    let mut i = 0;
    while i < 25 {
        out[i % 5 * 5 + i / 5] = kernel[i];
        i += 1;
    }
    out
}

#[rustfmt::skip]
mod kernels {
    use super::Kernel;

    /// Where nothing but averages is known, the average itself is spread too.
    pub(super) const AVERAGE: Kernel = [
        -2, -6, -8, -6, -2,  -6, 6, 42, 6, -6,  -8, 42, 152, 42, -8,  -6, 6, 42, 6, -6,  -2, -6, -8, -6, -2,
    ];
    pub(super) const ACROSS: Kernel = [
        -1, -1, 0, 1, 1,  -3, 13, 0, -13, 3,  -3, 38, 0, -38, 3,  -3, 13, 0, -13, 3,  -1, -1, 0, 1, 1,
    ];
    pub(super) const DOWN: Kernel = [
        -1, -3, -3, -3, -1,  -1, 13, 38, 13, -1,  0, 0, 0, 0, 0,  1, -13, -38, -13, 1,  1, 3, 3, 3, 1,
    ];
    pub(super) const DOWN_TWICE: Kernel = [
        0, 0, 1, 0, 0,  0, 2, 7, 2, 0,  0, -5, -14, -5, 0,  0, 2, 7, 2, 0,  0, 0, 1, 0, 0,
    ];
    pub(super) const DIAGONAL: Kernel = [
        -1, 0, 0, 0, 1,  0, 9, 0, -9, 0,  0, 0, 0, 0, 0,  0, -9, 0, 9, 0,  1, 0, 0, 0, -1,
    ];
    pub(super) const ACROSS_TWICE: Kernel = [
        0, 0, 0, 0, 0,  0, 2, -5, 2, 0,  1, 7, -14, 7, 1,  0, 2, -5, 2, 0,  0, 0, 0, 0, 0,
    ];
    pub(super) const ACROSS_THRICE: Kernel = [
        0, 0, 0, 0, 0,  0, 1, 0, -1, 0,  0, 2, 0, -2, 0,  0, 1, 0, -1, 0,  0, 0, 0, 0, 0,
    ];
    pub(super) const TWICE_AND_DOWN: Kernel = [
        0, 0, 0, 0, 0,  0, 1, -3, 1, 0,  0, 0, 0, 0, 0,  0, -1, 3, -1, 0,  0, 0, 0, 0, 0,
    ];
    pub(super) const TWICE_AND_ACROSS: Kernel = [
        0, 0, 0, 0, 0,  0, 1, 0, -1, 0,  0, -3, 0, 3, 0,  0, 1, 0, -1, 0,  0, 0, 0, 0, 0,
    ];
    pub(super) const DOWN_THRICE: Kernel = [
        0, 0, 0, 0, 0,  0, 1, 2, 1, 0,  0, 0, 0, 0, 0,  0, -1, -2, -1, 0,  0, 0, 0, 0, 0,
    ];

    /// Where some coefficients are known.
    pub(super) const SOME_ACROSS: Kernel = [
        0, 0, 0, 0, 0,  0, 0, 0, 0, 0,  -7, 50, 0, -50, 7,  0, 0, 0, 0, 0,  0, 0, 0, 0, 0,
    ];
    pub(super) const SOME_DOWN_TWICE: Kernel = [
        0, 0, -1, 0, 0,  0, 0, 13, 0, 0,  0, 0, -24, 0, 0,  0, 0, 13, 0, 0,  0, 0, -1, 0, 0,
    ];
    pub(super) const SOME_DIAGONAL: Kernel = [
        0, -1, 0, 1, 0,  -1, 10, 0, -10, 1,  0, 0, 0, 0, 0,  1, -10, 0, 10, -1,  0, 1, 0, -1, 0,
    ];
}

/// Estimates of coefficients 1 to 9 where nothing but averages is known.
const FROM_AVERAGES: [Kernel; 9] = [
    kernels::ACROSS,
    kernels::DOWN,
    kernels::DOWN_TWICE,
    kernels::DIAGONAL,
    kernels::ACROSS_TWICE,
    kernels::ACROSS_THRICE,
    kernels::TWICE_AND_DOWN,
    kernels::TWICE_AND_ACROSS,
    kernels::DOWN_THRICE,
];

/// Estimates of coefficients 1 to 5 otherwise.
const FROM_SOME: [Kernel; 5] = [
    kernels::SOME_ACROSS,
    transposed(kernels::SOME_ACROSS),
    kernels::SOME_DOWN_TWICE,
    kernels::SOME_DIAGONAL,
    transposed(kernels::SOME_DOWN_TWICE),
];

/// Something is missing that can be estimated.
pub(super) fn applies(frame: &Frame) -> bool {
    let ready = |component: &Component| {
        let steps = component.quantization.is_some_and(|steps| PLACES.iter().all(|&place| steps[place] != 0));
        steps && component.known[0] >= 0
    };
    frame.progressive
        && frame.components.iter().all(ready)
        && frame.components.iter().any(|component| component.known[1..10].iter().any(|&bits| bits != 0))
}

/// The block at a place, with estimates in the place of what is not known. `last_good_row` is the last row of units that
/// the last scan reached, `units` how many rows of units there are, and `scans` how many scans.
pub(super) fn block(
    component: &Component,
    row: usize,
    column: usize,
    (last_good_row, units, scans): (usize, usize, usize),
) -> [i16; 64] {
    let mut out = component.coefficients[row * component.block_columns + column];
    let Some(steps) = component.quantization else { return out };
    let nothing = [-1; 64];
    let known = match row / component.v > last_good_row {
        false => &component.known,
        true if scans > 1 => &component.known_before,
        true => &nothing,
    };
    let averages_only = known[1..10].iter().all(|&bits| bits == -1);
    let averages = neighbourhood(component, row, column, units);
    let estimate = |kernel: &Kernel, place: usize, missing: i32| -> i16 {
        let sum: i32 = kernel.iter().zip(&averages).map(|(weight, average)| weight * average).sum();
        let (sum, step) = (i64::from(steps[0]) * i64::from(sum), i64::from(steps[place]));
        let mut size = (((step << 7) + sum.abs()) / (step << 8)) as i32;
        if missing > 0 {
            size = size.min((1 << missing) - 1);
        }
        (if sum < 0 { size.wrapping_neg() } else { size }) as i16
    };
    let kernels: &[Kernel] = if averages_only { &FROM_AVERAGES } else { &FROM_SOME };
    for (i, kernel) in (1..).zip(kernels) {
        let place = PLACES[i];
        if known[i] != 0 && out[place] == 0 {
            out[place] = estimate(kernel, place, known[i]);
        }
    }
    if averages_only {
        out[0] = estimate(&kernels::AVERAGE, 0, 0);
    }
    out
}

/// The averages of the 5 x 5 blocks around one; beyond the edges the nearest repeats.
fn neighbourhood(component: &Component, row: usize, column: usize, units: usize) -> [i32; 25] {
    let v = component.v;
    // libjpeg counts the rows as if every unit had as many of them as this one, which shows in the last unit.
    let here = match row / v + 1 < units {
        true => v,
        false => component.height.div_ceil(8) - (units - 1) * v,
    };
    let (index, count) = (row / v * here + row % v, here * units);
    let above = row - usize::from(index > 0);
    let below = row + usize::from(index + 1 < count);
    let rows = [above - usize::from(index > 1), above, row, below, below + usize::from(index + 2 < count)];
    let last = component.width.div_ceil(8) - 1;
    let columns =
        [column.saturating_sub(2), column.saturating_sub(1), column, last.min(column + 1), last.min(column + 2)];
    std::array::from_fn(|i| {
        i32::from(component.coefficients[rows[i / 5] * component.block_columns + columns[i % 5]][0])
    })
}
