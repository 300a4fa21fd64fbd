//! Working memory that a thread keeps: fresh memory costs a page fault every 4 KiB, often more than the work done in it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A piece of working memory; the thread gets it back when it is dropped.
pub struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    /// `len` values, whatever they are: to be written before they are read.
    pub fn take(len: usize) -> Self {
        let free = FREE.with_borrow_mut(|free| {
            // The smallest that suffices, else the largest, which grows.
            let fits = (0..free.len()).filter(|&i| free[i].len() >= len).min_by_key(|&i| free[i].len());
            let best = fits.or_else(|| (0..free.len()).max_by_key(|&i| free[i].len()));
            best.map(|i| free.swap_remove(i))
        });
        let mut buffer = free.unwrap_or_default();
        if buffer.len() < len {
            // Not `resize`, which would copy what nobody reads.
            buffer = vec![0.0; len];
        }
        Self { buffer, len }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut scratch = Self::take(len);
        scratch.fill(0.0);
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // At the end of a thread there is no list to return to.
        let _ = FREE.try_with(|free| free.borrow_mut().push(buffer));
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_apart_and_come_back() {
        let (mut a, mut b) = (Scratch::zeros(10), Scratch::zeros(20));
        a.fill(1.0);
        b.fill(2.0);
        assert!(a.iter().all(|v| *v == 1.0) && a.len() == 10);
        let place = b.as_ptr();
        drop(a);
        drop(b);
        assert_eq!(Scratch::take(15).as_ptr(), place);
        assert!(Scratch::zeros(20).iter().all(|v| *v == 0.0));
    }
}
