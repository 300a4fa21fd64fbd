//! The sum of many f32 in PyTorch's order, because the last bit of the mean scale decides some 8-bit codes.

/// Lanes of PyTorch's sum kernel on x86: it stays at 256 bits even where AVX-512 is there.
const LANES: usize = 8;
/// Rows that are summed side by side, to hide the latency of an addition.
const ROWS: usize = 4;
/// Levels of the cascade. Each holds sums of a similar magnitude, so rounding errors stay small.
const LEVELS: usize = 4;

type Row<const L: usize> = [f32; L];

fn add<const L: usize>(a: &mut Row<L>, b: &Row<L>) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
}

/// `torch.sum` of a contiguous f32 vector on one thread, to the last bit.
///
/// The order of ATen's `SumKernel.cpp`: lanes side by side, over them a cascade of partial sums. PyTorch cuts a vector of
/// 32768 elements or more into one part per thread, so there its own result depends on the number of its threads.
pub fn cascade_sum(values: &[f32]) -> f32 {
    if values.len() < LANES {
        return sum_rows::<1>(values)[0];
    }
    let (vectors, rest) = values.split_at(values.len() - values.len() % LANES);
    let lanes = sum_rows::<LANES>(vectors);
    let tail = rest.iter().fold(0.0, |sum, value| sum + value);
    lanes.iter().fold(tail, |sum, lane| sum + lane)
}

/// Sums `values`, seen as `[n][L]`, over n.
fn sum_rows<const L: usize>(values: &[f32]) -> Row<L> {
    let rows: &[Row<L>] = as_rows(values);
    let (grouped, rest) = rows.split_at(rows.len() - rows.len() % ROWS);
    let mut partial = cascade::<L>(grouped);
    for row in rest {
        add(&mut partial[0], row);
    }
    let [mut total, others @ ..] = partial;
    others.iter().for_each(|other| add(&mut total, other));
    total
}

/// Sums `rows`, seen as `[n][ROWS]`, over n. A level empties into the next one each `2^power` steps.
fn cascade<const L: usize>(rows: &[Row<L>]) -> [Row<L>; ROWS] {
    let steps = rows.len() / ROWS;
    let power = (steps.max(1).next_power_of_two().ilog2() as usize / LEVELS).max(4);
    let mut levels = [[[0.0; L]; ROWS]; LEVELS];
    let mut groups = rows.chunks_exact(ROWS).enumerate();
    let whole = steps >> power << power;
    for (step, group) in groups.by_ref().take(whole) {
        levels[0].iter_mut().zip(group).for_each(|(sum, row)| add(sum, row));
        let done = step + 1;
        for level in 1..LEVELS {
            // Level k empties when the lowest k digits of the count, in base 2^power, have come round to zero.
            if done & ((1 << (level * power)) - 1) != 0 {
                break;
            }
            let below = std::mem::replace(&mut levels[level - 1], [[0.0; L]; ROWS]);
            levels[level].iter_mut().zip(&below).for_each(|(sum, row)| add(sum, row));
        }
    }
    for (_, group) in groups {
        levels[0].iter_mut().zip(group).for_each(|(sum, row)| add(sum, row));
    }
    let [mut total, others @ ..] = levels;
    for other in &others {
        total.iter_mut().zip(other).for_each(|(sum, row)| add(sum, row));
    }
    total
}

/// `values` as whole rows of `L`.
fn as_rows<const L: usize>(values: &[f32]) -> &[Row<L>] {
    // SAFETY: an array of f32 has f32's alignment and no padding, and the count covers no more than `values`.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len() / L) }
}
