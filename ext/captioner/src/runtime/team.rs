//! Many short parallel regions in a row, as a decoder step has them: dozens of a few microseconds each.
//!
//! A thread of the pool that finds no work goes to sleep, and waking it takes longer than such a region. So the thread that
//! leads a step invites the others once, and they wait in a loop for its regions until the step is over:
//!
//! ```text
//! leader   together( [region 1]  alone  [region 2]  alone  [region 3] )
//! helper      invited [region 1]  waits  [region 2]  waits  [region 3]  back to the pool
//! ```
//!
//! The leader waits for nobody but helpers in the middle of a task of its own, never for the pool. So no two leaders can wait
//! for each other, and a step ends even where no helper ever comes.

use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

/// More helpers than this find nothing left to do in a region.
const HELPERS: usize = 7;

/// A helper that was not needed for so long leaves.
const PATIENCE: Duration = Duration::from_millis(1);

/// Looks at the leader before others may have the processor.
const LOOKS: u32 = 200;

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::None) };
}

#[derive(Clone, Copy)]
enum Role {
    None,
    /// Leads this team, which outlives the role.
    Leader(*const Team),
    /// In the middle of a region.
    Busy,
}

#[derive(Default)]
struct Team {
    over: AtomicBool,
    /// Counts openings and closings: odd while a region is open.
    epoch: AtomicUsize,
    /// Helpers that are inside the open region or about to look whether it is open.
    inside: AtomicUsize,
    /// The next task of the region, and how many there are.
    next: AtomicUsize,
    count: AtomicUsize,
    /// What a task does; only valid while the region is open.
    work: Mutex<Option<Work>>,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}

#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: what it points to may be called from any thread, and lives while a region is open.
unsafe impl Send for Work {}

/// Runs `step` on the calling thread; the regions that it opens with [`each`] find the other threads of its pool awake.
/// `step` must not wait for the pool in another way.
pub fn together<R>(step: impl FnOnce() -> R) -> R {
    let threads = rayon::current_num_threads();
    let Some(leader) = rayon::current_thread_index().filter(|_| threads > 1 && matches!(ROLE.get(), Role::None)) else {
        return step();
    };
    let team = Arc::new(Team::default());
    let helpers = team.clone();
    rayon::spawn_broadcast(move |context| {
        // All are invited: the leader, who has no use for it, and on a large machine more than are needed.
        let after = (context.index() + threads - leader) % threads;
        if (1..=HELPERS).contains(&after) {
            helpers.help();
        }
    });
    struct End<'a>(&'a Team);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            ROLE.set(Role::None);
            self.0.over.store(true, Ordering::Release);
        }
    }
    let _end = End(&team);
    ROLE.set(Role::Leader(Arc::as_ptr(&team)));
    step()
}

/// Calls `work` for every task, on all threads: within [`together`] on those that wait for it, else on those of the pool.
pub fn each<T: Send>(tasks: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
    let role = ROLE.get();
    match role {
        Role::None if tasks.len() > 1 => return tasks.par_iter_mut().for_each(work),
        Role::Leader(team) if tasks.len() > 1 => {
            let first = Tasks(tasks.as_mut_ptr());
            let (first, work) = (&first, &work);
            // SAFETY: `together` holds the team while it is this thread's role; each task is given to one thread.
            return unsafe { (*team).region(tasks.len(), &move |i| work(&mut *first.0.add(i))) };
        }
        _ => {}
    }
    tasks.iter_mut().for_each(work);
}

struct Tasks<T>(*mut T);

// SAFETY: threads take different elements, which may be sent.
unsafe impl<T: Send> Sync for Tasks<T> {}

impl Team {
    fn region(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only its lifetime is forgotten; the region is closed and left by all before this function returns.
        let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(Work(work));
        self.count.store(count, Ordering::Relaxed);
        self.next.store(0, Ordering::Relaxed);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.work_off(work);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let mut looks = 0;
        while self.inside.load(Ordering::SeqCst) != 0 {
            pause(&mut looks);
        }
        if let Some(payload) = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(payload);
        }
    }

    /// Tasks until there are none left. A panic ends the region and is kept for the leader.
    fn work_off(&self, work: &(dyn Fn(usize) + Sync)) {
        let role = ROLE.replace(Role::Busy);
        let count = self.count.load(Ordering::Relaxed);
        let done = catch_unwind(AssertUnwindSafe(|| loop {
            match self.next.fetch_add(1, Ordering::Relaxed) {
                task if task < count => work(task),
                _ => break,
            }
        }));
        ROLE.set(role);
        if let Err(payload) = done {
            self.next.store(count, Ordering::Relaxed);
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    }

    fn help(&self) {
        let (mut seen, mut looks, mut since) = (0, 0, Instant::now());
        while !self.over.load(Ordering::Acquire) {
            let epoch = self.epoch.load(Ordering::Acquire);
            if epoch.is_multiple_of(2) || epoch == seen {
                pause(&mut looks);
                if looks == 0 && since.elapsed() > PATIENCE {
                    return;
                }
                continue;
            }
            // From here on the leader waits. It may have closed the region just before, so it is looked at once more.
            self.inside.fetch_add(1, Ordering::SeqCst);
            seen = self.epoch.load(Ordering::SeqCst);
            if !seen.is_multiple_of(2) {
                let work = *self.work.lock().unwrap_or_else(PoisonError::into_inner);
                // SAFETY: the region is open, so what it points to is there.
                work.into_iter().for_each(|work| self.work_off(unsafe { &*work.0 }));
            }
            self.inside.fetch_sub(1, Ordering::SeqCst);
            (looks, since) = (0, Instant::now());
        }
    }
}

/// A moment; after some of them others may have the processor.
fn pause(looks: &mut u32) {
    *looks += 1;
    if *looks < LOOKS {
        return std::hint::spin_loop();
    }
    *looks = 0;
    std::thread::yield_now();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    /// Regions of odd sizes, one after the other: each task is done once, before the next region begins.
    fn regions() {
        for round in 0..300 {
            let mut tasks: Vec<usize> = vec![0; round % 37];
            each(&mut tasks, |task| *task += round);
            assert!(tasks.iter().all(|task| *task == round));
        }
    }

    #[test]
    fn every_task_is_done_once() {
        for threads in [1, 2, 5, 12] {
            pool(threads).install(|| together(regions));
            pool(threads).install(regions);
        }
        together(regions);
    }

    #[test]
    fn many_leaders_share_a_pool() {
        let pool = pool(3);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        pool.install(|| {
                            together(regions);
                            // Joins of the pool, in whose waits invitations of other leaders may be found.
                            (0..64).into_par_iter().for_each(|i| {
                                std::hint::black_box((0..i * 100).sum::<usize>());
                            });
                        });
                    }
                });
            }
        });
    }

    #[test]
    fn a_helper_that_is_called_late_still_ends() {
        let pool = pool(2);
        // Longer than a helper's patience, then regions again.
        pool.install(|| {
            together(|| {
                std::thread::sleep(5 * PATIENCE);
                regions();
            });
            regions();
        });
    }

    #[test]
    fn a_panic_reaches_the_leader_and_the_pool_lives() {
        let pool = pool(3);
        for _ in 0..50 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.install(|| together(|| each(&mut [0; 40], |_| panic!("as tested"))));
            }));
            assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"as tested"));
            pool.install(|| together(regions));
        }
    }

    #[test]
    fn a_region_in_a_region_is_done_alone() {
        pool(2).install(|| {
            together(|| {
                let mut outer = vec![vec![0; 9]; 9];
                each(&mut outer, |inner| each(inner, |value| *value += 1));
                assert!(outer.iter().flatten().all(|value| *value == 1));
            });
        });
    }
}
