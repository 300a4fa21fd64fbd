//! One thread that leads all steps of all captions.
//!
//! The thread that leads a step takes and frees the memory of its activations, and malloc keeps what a thread has freed for
//! that thread. Where any thread of the pool may lead, each comes to keep a caption's memory after some captions.

use std::sync::Mutex;

use rayon::ThreadPool;

/// Runs `step` on the first thread of the pool and waits for it; on a thread of a pool it runs at once.
///
/// # Panics
/// If `step` does.
pub fn lead<R: Send>(pool: &ThreadPool, step: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() {
        return pool.install(step);
    }
    let step = Mutex::new(Some(step));
    // The first thread alone finds a step; it takes it out of the lock before it runs it.
    let own = pool.broadcast(|context| {
        let step = (context.index() == 0).then(|| step.lock().ok()?.take()).flatten();
        step.map(|step| step())
    });
    own.into_iter().flatten().next().expect("the first thread ran the step")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::panic::{catch_unwind, AssertUnwindSafe};

    fn pool() -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap()
    }

    #[test]
    fn many_callers_share_one_leader() {
        let pool = pool();
        let text = String::from("borrowed");
        std::thread::scope(|scope| {
            for caller in 0..8 {
                let (pool, text) = (&pool, &text);
                scope.spawn(move || {
                    for round in 0..200 {
                        let (leader, sum, length) = lead(pool, || {
                            let leader = rayon::current_thread_index();
                            (leader, (0..100usize).into_par_iter().map(|i| i + round).sum::<usize>(), text.len())
                        });
                        assert_eq!((leader, sum, length), (Some(0), 4950 + 100 * round, 8), "caller {caller}");
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives() {
        let pool = pool();
        for _ in 0..50 {
            let panic = catch_unwind(AssertUnwindSafe(|| lead(&pool, || panic!("as tested")))).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"as tested"));
        }
        assert_eq!(lead(&pool, || 7), 7);
    }

    #[test]
    fn a_thread_of_the_pool_leads_itself() {
        let pool = pool();
        let own = pool.install(|| (rayon::current_thread_index(), lead(&pool, rayon::current_thread_index)));
        assert_eq!(own.0, own.1);
    }
}
