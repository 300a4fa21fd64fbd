//! Memory for activations, in huge pages where the system has them: what is written once costs more in page faults than in
//! writing.

use std::mem::MaybeUninit;

/// Bytes of a huge page on x86-64 and, with pages of 4 KiB, on ARM.
const HUGE: usize = 2 << 20;

/// `len` zeros. The huge pages that lie wholly inside are asked for, so that no more memory is taken than without them.
pub fn zeros(len: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    ask_for_huge_pages(values.spare_capacity_mut());
    values.resize(len, 0.0);
    values
}

#[cfg(target_os = "linux")]
fn ask_for_huge_pages(values: &[MaybeUninit<f32>]) {
    let range = values.as_ptr_range();
    let (start, end) = ((range.start as usize).next_multiple_of(HUGE), range.end as usize / HUGE * HUGE);
    if start < end {
        // SAFETY: the pages belong to the slice, and advice does not change what is in them. A system without such pages
        // refuses, which changes nothing.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: &[MaybeUninit<f32>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_all_zeros() {
        for len in [0, 1, HUGE / 4 - 1, HUGE, 3 * HUGE + 5] {
            let mut values = zeros(len);
            assert!(values.len() == len && values.iter().all(|value| *value == 0.0));
            values.fill(1.0);
        }
    }
}
