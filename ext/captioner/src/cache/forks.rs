//! A fork copies the cache's lock as it is, but none of the threads that could open it. So the thread that forks takes the
//! lock itself for that moment, and opens it in the parent and in the child.

use std::cell::RefCell;
use std::sync::{MutexGuard, Once};

use super::{Entries, CACHE};

thread_local! {
    static HELD: RefCell<Option<MutexGuard<'static, Entries>>> = const { RefCell::new(None) };
}

/// Makes the cache usable in every child, whatever other threads do while it is forked. To be called at start; a second time it
/// does nothing, as a thread that took the lock twice would wait for itself.
pub fn survive_forks() {
    static ONCE: Once = Once::new();
    // SAFETY: the functions outlive the process's use of them: a Ruby extension is never unloaded.
    ONCE.call_once(|| unsafe {
        libc::pthread_atfork(Some(before), Some(after), Some(after));
    });
}

unsafe extern "C" fn before() {
    let _ = HELD.try_with(|held| held.replace(Some(CACHE.lock())));
}

unsafe extern "C" fn after() {
    let _ = HELD.try_with(RefCell::take);
}
