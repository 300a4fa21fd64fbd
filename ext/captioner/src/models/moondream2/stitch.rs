//! From the features of overlapping windows to one grid, and from that to the size of a single window.

use super::crops::Tiling;

/// The features of a window, `[side * side, channels]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Patches of a side.
    pub side: usize,
    /// Patches that a window shares with its neighbour, on each of the two.
    pub margin: usize,
    pub channels: usize,
}

impl Grid {
    /// Patches of a window.
    pub fn tokens(self) -> usize {
        self.side * self.side
    }
}

/// Windows row by row to one grid, without the margins where windows meet: its height, its width and its features.
pub(super) fn stitch(windows: &[f32], tiling: Tiling, grid: Grid) -> (usize, usize, Vec<f32>) {
    let Grid { side, margin, channels } = grid;
    let span = |windows: usize| windows * (side - 2 * margin) + 2 * margin;
    let (height, width) = (span(tiling.rows), span(tiling.columns));
    let mut out = vec![0.0; height * width * channels];
    for row in 0..tiling.rows {
        for column in 0..tiling.columns {
            let window = &windows[(row * tiling.columns + column) * grid.tokens() * channels..];
            let (down, across) = (kept(row, tiling.rows, grid), kept(column, tiling.columns, grid));
            for y in down {
                let from = &window[(y * side + across.start) * channels..][..across.len() * channels];
                let top = row * (side - 2 * margin) + y;
                let left = column * (side - 2 * margin) + across.start;
                out[(top * width + left) * channels..][..from.len()].copy_from_slice(from);
            }
        }
    }
    (height, width, out)
}

/// The patches of one axis that are kept of window `at` of `count`.
fn kept(at: usize, count: usize, Grid { side, margin, .. }: Grid) -> std::ops::Range<usize> {
    let start = if at == 0 { 0 } else { margin };
    start..if at + 1 == count { side } else { side - margin }
}

/// `adaptive_avg_pool2d` of a grid of (height, width) to a window's: bin `i` of `side` is the mean of
/// `floor(i * n / side)..ceil((i + 1) * n / side)`.
pub(super) fn pool(features: &[f32], (height, width): (usize, usize), Grid { side, channels, .. }: Grid) -> Vec<f32> {
    let bin = |i: usize, count: usize| i * count / side..((i + 1) * count).div_ceil(side);
    let mut out = vec![0.0; side * side * channels];
    for (i, mean) in out.chunks_exact_mut(channels).enumerate() {
        let (down, across) = (bin(i / side, height), bin(i % side, width));
        let count = (down.len() * across.len()) as f32;
        for y in down {
            for x in across.clone() {
                let feature = &features[(y * width + x) * channels..][..channels];
                mean.iter_mut().zip(feature).for_each(|(mean, value)| *mean += value);
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= count);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows cut from one large grid, as crops are from one image, give that grid again.
    #[test]
    fn windows_of_a_grid_are_the_grid_again() {
        for (side, margin, rows, columns) in [(7, 1, 2, 3), (8, 3, 3, 1), (27, 4, 2, 5), (5, 0, 2, 2), (6, 2, 1, 1)] {
            let grid = Grid { side, margin, channels: 2 };
            let step = side - 2 * margin;
            let (height, width) = (rows * step + 2 * margin, columns * step + 2 * margin);
            let all: Vec<f32> = (0..height * width * 2).map(|i| i as f32).collect();
            let mut windows = Vec::new();
            for window in 0..rows * columns {
                for y in 0..side {
                    let start = (window / columns * step + y) * width + window % columns * step;
                    windows.extend_from_slice(&all[start * 2..(start + side) * 2]);
                }
            }
            assert_eq!(stitch(&windows, Tiling { rows, columns }, grid), (height, width, all));
        }
    }

    #[test]
    fn bins_overlap_where_they_do_not_divide() {
        let grid = Grid { side: 2, margin: 0, channels: 1 };
        // Three columns to two bins: 0..2 and 1..3.
        assert_eq!(pool(&[1.0, 2.0, 4.0, 5.0, 6.0, 8.0], (2, 3), grid), [1.5, 3.0, 5.5, 7.0]);
        assert_eq!(pool(&[1.0, 2.0, 3.0, 4.0], (2, 2), grid), [1.0, 2.0, 3.0, 4.0]);
    }
}
