//! A thread for the decoder, which is allowed to panic in it.
//!
//! The decoder's functions have C's calling convention, out of which a panic must not unwind: it would end the process. So a
//! panic is reported from the hook that is called before anything unwinds, and its thread then sleeps for good. Its stack and
//! what the decoder allocated for itself stay, so this happens only so often in a process.

use std::cell::RefCell;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use super::super::context::Context;
use super::super::limits::Failure;
use super::super::memory;
use crate::error::panic_reason;

/// Threads that may come to sleep for good.
const MOST_ASLEEP: usize = 16;

/// Far more than the decoder's deepest calls take.
const STACK: usize = 4 << 20;

/// Between two looks at the wish to stop.
const PATIENCE: Duration = Duration::from_millis(5);

static ASLEEP: AtomicUsize = AtomicUsize::new(0);

type Report = Box<dyn FnOnce(String)>;

thread_local! {
    /// Whom a panic in this thread is reported to; None in all threads but the decoder's.
    static REPORT: RefCell<Option<Report>> = const { RefCell::new(None) };
}

/// Puts a hook in front of the present one.
pub fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let other = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let report = REPORT.try_with(|report| report.try_borrow_mut().ok()?.take()).ok().flatten();
            let Some(report) = report else { return other(info) };
            ASLEEP.fetch_add(1, Ordering::Relaxed);
            let place = info.location().and_then(|place| Some((Path::new(place.file()).file_name()?, place.line())));
            let place = place.map_or_else(String::new, |(file, line)| format!(" at {}:{line}", file.display()));
            report(panic_reason(info.payload()).to_string() + &place);
            loop {
                thread::park();
            }
        }));
    });
}

/// What `work` gives, run in a thread of its own. An error at once when the caller wants to stop: the thread then goes on to
/// its end, of which nobody hears. Otherwise it has ended when this returns, unless it panicked.
pub(super) fn run<T: Send + 'static>(
    context: &Context<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    context.go_on()?;
    if ASLEEP.load(Ordering::Relaxed) >= MOST_ASLEEP {
        return Err(Failure::Process(
            "the decoder of AVIF broke down too often in this process; start it again".to_string(),
        ));
    }
    watch_panics();
    let (sender, receiver) = mpsc::channel();
    let body = move || {
        let reporter = sender.clone();
        REPORT.set(Some(Box::new(move |reason| _ = reporter.send(Err(reason)))));
        let result = work();
        drop(REPORT.take());
        let _ = sender.send(Ok(result));
    };
    memory::probe(STACK)?;
    let thread = thread::Builder::new().name("captioner-av1".into()).stack_size(STACK).spawn(body);
    let thread = thread.map_err(|error| Failure::Process(format!("no thread could be started for it: {error}")))?;
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(result)) => {
                // It is at its end, and no fork shall meet it there.
                drop(thread.join());
                return Ok(result);
            }
            Ok(Err(reason)) => return Err(Failure::unreadable(format!("its decoder gave up: {reason}"))),
            Err(RecvTimeoutError::Timeout) => context.go_on()?,
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::unreadable("its decoder ended early")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Limits;
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// As the decoder's functions are, so that unwinding out of it would abort.
    extern "C" fn cannot_unwind(index: usize) -> u8 {
        b"short"[index]
    }

    /// In a process of its own: the test harness waits for the hook at its end, in which a thread sleeps then.
    #[test]
    fn a_panic_that_cannot_unwind_is_an_error() {
        const VARIABLE: &str = "CAPTIONER_TEST_PANICS";
        if std::env::var_os(VARIABLE).is_none() {
            let child = std::process::Command::new(std::env::current_exe().expect("this test"))
                .args(["a_panic_that_cannot_unwind_is_an_error", "--nocapture", "--test-threads=1"])
                .env(VARIABLE, "1")
                .output()
                .expect("a child");
            let output = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && output.contains("all as it should be"), "{}: {output}", child.status);
            return;
        }
        let (limits, stop) = (Limits::default(), AtomicBool::new(false));
        let context = Context::new(&limits, &stop);
        for _ in 0..MOST_ASLEEP {
            let error = run(&context, || cannot_unwind(9)).expect_err("a panic");
            assert!(
                matches!(&error, Failure::Unreadable(reason) if reason.contains("index out of bounds")),
                "{error:?}"
            );
        }
        assert!(panic::catch_unwind(|| panic!("elsewhere")).is_err(), "panics of other threads unwind");
        let error = run(&context, || 7).expect_err("one too many");
        assert!(matches!(&error, Failure::Process(reason) if reason.contains("start it again")), "{error:?}");
        println!("all as it should be");
        std::process::exit(0);
    }

    #[test]
    fn nobody_waits_for_what_is_not_wanted() {
        let (limits, stop) = (Limits::default(), AtomicBool::new(false));
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let wish = &stop;
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = begins.recv();
                wish.store(true, Ordering::Relaxed);
            });
            let result = run(&Context::new(&limits, &stop), move || {
                let _ = begun.send(());
                let _ = released.recv();
            });
            assert!(matches!(result, Err(Failure::Interrupted)));
        });
        drop(release);
        assert!(matches!(run(&Context::new(&limits, &stop), || ()), Err(Failure::Interrupted)));
    }
}
