//! Products of `f32` matrices, on the calling thread.
//!
//! The kernels are of the outer-product form: a tile of the output stays in registers while the depth passes by, one row of
//! the right operand as vectors and one column of the left operand as broadcasts at a time. So the left operand is read
//! where it lies, row-major or transposed, and the right operand must have its columns side by side; nothing is packed. The
//! right operand may be in f16, which is widened as it is loaded.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod element;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod transpose;

pub use element::Element;
pub use transpose::transpose;

use super::Isa;

/// Depth that is worked off at a time: 512 rows of 64 columns of the right operand are an eighth of a MiB, so they stay in
/// the second-level cache while every row of the left operand passes.
const DEPTH: usize = 512;

/// The left operand: element `[i, k]` is `values[i * row + k * step]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub step: usize,
}

/// The right operand: element `[k, j]` is `values[k * row + j]`.
#[derive(Clone, Copy)]
pub struct Right<'a, T = f32> {
    pub values: &'a [T],
    pub row: usize,
}

/// The output: element `[i, j]` is `values[i * row + j]`; nothing between the rows is touched.
pub struct Out<'a> {
    pub values: &'a mut [f32],
    pub row: usize,
}

/// What the sum over the depth is added to.
#[derive(Clone, Copy, Default)]
pub struct Start<'a> {
    /// `[n]`, the same for every row.
    pub bias: Option<&'a [f32]>,
    /// What is in the output before.
    pub out: bool,
}

/// `out = start + left · right`, `[m, n]` over a depth of `k`.
///
/// # Panics
/// If an operand is shorter than `(m, n, k)` and its strides say.
pub fn product<T: Element>((m, n, k): (usize, usize, usize), left: Left, right: Right<T>, start: Start, out: Out) {
    if m == 0 || n == 0 {
        return;
    }
    let last = |count: usize, stride: usize| count.saturating_sub(1) * stride;
    assert!(k == 0 || left.values.len() > last(m, left.row) + last(k, left.step), "product: left operand");
    assert!(k == 0 || right.values.len() >= last(k, right.row) + n, "product: right operand");
    assert!(out.values.len() >= last(m, out.row) + n && (m == 1 || out.row >= n), "product: output");
    assert!(start.bias.is_none_or(|bias| bias.len() >= n), "product: bias");
    let mut task = Task {
        depth: 0,
        left: left.values.as_ptr(),
        left_row: left.row,
        left_step: left.step,
        right: right.values.as_ptr(),
        right_row: right.row,
        bias: start.bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
        add: start.out,
        out: out.values.as_mut_ptr(),
        out_row: out.row,
    };
    let mut done = 0;
    loop {
        task.depth = DEPTH.min(k - done);
        // SAFETY: the operands hold what the shape and the strides say, checked above.
        unsafe { run(m, n, task) };
        done += task.depth;
        if done == k {
            return;
        }
        // SAFETY: `done < k`, so both operands go on behind this piece.
        unsafe { task = Task { bias: std::ptr::null(), add: true, ..task.deeper() } };
    }
}

unsafe fn run<T: Element>(m: usize, n: usize, task: Task<T>) {
    #[cfg(target_arch = "x86_64")]
    {
        match Isa::current() {
            Isa::Avx2 | Isa::Avx2Vnni => return avx2::product(m, n, task),
            Isa::Avx512 | Isa::Avx512Bf16 => return avx512::product(m, n, task),
            _ => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    if Isa::current() >= Isa::Neon {
        return neon::product(m, n, task);
    }
    portable::product(m, n, task);
}

/// A product as the kernels see it: pointers to the first element of each operand, strides in elements. `bias` may be null.
#[derive(Clone, Copy)]
struct Task<T> {
    depth: usize,
    left: *const f32,
    left_row: usize,
    left_step: usize,
    right: *const T,
    right_row: usize,
    bias: *const f32,
    add: bool,
    out: *mut f32,
    out_row: usize,
}

impl<T: Element> Task<T> {
    /// The same from output row `i` on.
    #[inline(always)]
    unsafe fn below(self, i: usize) -> Self {
        Self { left: self.left.add(i * self.left_row), out: self.out.add(i * self.out_row), ..self }
    }

    /// The same from output column `j` on.
    #[inline(always)]
    unsafe fn right_of(self, j: usize) -> Self {
        let bias = if self.bias.is_null() { self.bias } else { self.bias.add(j) };
        Self { right: self.right.add(j), out: self.out.add(j), bias, ..self }
    }

    /// What follows after this depth.
    unsafe fn deeper(self) -> Self {
        let (left, right) = (self.depth * self.left_step, self.depth * self.right_row);
        Self { left: self.left.add(left), right: self.right.add(right), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    type Kernel<T> = unsafe fn(usize, usize, Task<T>);

    /// Every kernel that this machine can run, by name.
    fn kernels<T: Element>() -> Vec<(&'static str, Kernel<T>)> {
        let mut kernels: Vec<(&'static str, Kernel<T>)> = vec![("portable", portable::product)];
        #[cfg(target_arch = "x86_64")]
        {
            if Isa::available().contains(&Isa::Avx2) {
                kernels.push(("avx2", avx2::product));
            }
            if Isa::available().contains(&Isa::Avx512) {
                kernels.push(("avx512", avx512::product));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if Isa::available().contains(&Isa::Neon) {
            kernels.push(("neon", neon::product));
        }
        kernels
    }

    /// The definition, with gaps between rows: `left` row-major or transposed, outputs beside the tile untouched.
    fn check<T: Element>(store: impl Fn(f32) -> T) {
        for (m, n, k) in [(1, 1, 1), (7, 65, 3), (5, 17, 33), (12, 32, 40), (13, 47, 9), (30, 144, 32), (3, 200, 1)] {
            for (transposed, with_bias, add) in [(false, false, false), (true, true, false), (false, true, true)] {
                let (left_row, left_step) = if transposed { (1, m + 2) } else { (k + 3, 1) };
                let (right_row, out_row) = (n + 1, n + 5);
                let left = values((m + 2) * (k + 3), 1);
                let right: Vec<T> = values(right_row * k, 2).into_iter().map(&store).collect();
                let bias = values(n, 3);
                for (name, kernel) in kernels() {
                    let before = values(out_row * m, 4);
                    let mut out = before.clone();
                    let task = Task {
                        depth: k,
                        left: left.as_ptr(),
                        left_row,
                        left_step,
                        right: right.as_ptr(),
                        right_row,
                        bias: if with_bias { bias.as_ptr() } else { std::ptr::null() },
                        add,
                        out: out.as_mut_ptr(),
                        out_row,
                    };
                    // SAFETY: the operands were made for this shape, and the CPU has what the kernel needs.
                    unsafe { kernel(m, n, task) };
                    for (at, (out, before)) in out.iter().zip(&before).enumerate() {
                        let (i, j) = (at / out_row, at % out_row);
                        if j >= n {
                            assert_eq!(out, before, "{name} {m}x{n}x{k} wrote beside the tile at {i}, {j}");
                            continue;
                        }
                        let right = |d: usize| right[d * right_row + j].widen();
                        let sum = (0..k).map(|d| left[i * left_row + d * left_step] * right(d));
                        let start = if add { *before } else { 0.0 } + if with_bias { bias[j] } else { 0.0 };
                        let expected = start + sum.sum::<f32>();
                        assert!((out - expected).abs() < 1e-4, "{name} {m}x{n}x{k} at {i}, {j}: {out} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_kernel_equals_the_triple_loop_over_odd_shapes() {
        check(|value| value);
        check(half::f16::from_f32);
    }

    #[test]
    fn pieces_of_the_depth_add_up() {
        let (m, n, k) = (3, 5, 2 * DEPTH + 7);
        let (left, right, bias) = (values(m * k, 1), values(k * n, 2), values(n, 3));
        let mut out = vec![1.0; m * n];
        product(
            (m, n, k),
            Left { values: &left, row: k, step: 1 },
            Right { values: &right, row: n },
            Start { bias: Some(&bias), out: false },
            Out { values: &mut out, row: n },
        );
        for (at, out) in out.iter().enumerate() {
            let sum = (0..k).map(|d| f64::from(left[at / n * k + d]) * f64::from(right[d * n + at % n])).sum::<f64>();
            assert!((f64::from(*out) - sum - f64::from(bias[at % n])).abs() < 1e-3);
        }
    }
}
