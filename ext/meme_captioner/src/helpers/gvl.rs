//! Heavy work without Ruby's global lock, the one way in and out of it.
//!
//! `rb_nogvl` is called with `RB_NOGVL_INTR_FAIL`, so that it never raises: a pending `Timeout` or `Thread#kill` must not
//! jump over Rust frames. Interrupts set a flag that the work looks at between two steps; it then comes back here, with
//! its state kept, Ruby handles what is pending, and if that did not raise, the work goes on where it was. Panics are
//! caught before they reach Ruby's frames.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use captioner::{Error, Result};
use magnus::Ruby;

use super::errors::to_ruby;

/// Runs `work` without the GVL. It is given the flag to look at; when that is set it returns `Interrupted` and is called
/// again, unless what interrupted it raises.
pub fn release<T>(
    ruby: &Ruby,
    mut work: impl FnMut(&AtomicBool) -> Result<T>,
) -> std::result::Result<T, magnus::Error> {
    loop {
        match once(&mut work) {
            None | Some(Err(Error::Interrupted)) => ruby.thread_check_ints()?,
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => return Err(to_ruby(ruby, &error)),
        }
    }
}

/// One stay outside the GVL; `None` if an interrupt was pending and `work` did not run at all.
fn once<T>(work: &mut impl FnMut(&AtomicBool) -> Result<T>) -> Option<Result<T>> {
    let stop = AtomicBool::new(false);
    let mut call = Call { work: &mut || work(&stop), result: None };
    // SAFETY: `call` and `stop` outlive the call, which returns only when `run` has; `interrupt` is async-signal-safe.
    unsafe {
        rb_sys::rb_nogvl(
            Some(run::<T>),
            (&raw mut call).cast(),
            Some(interrupt),
            (&raw const stop).cast_mut().cast(),
            (rb_sys::RB_NOGVL_INTR_FAIL | rb_sys::RB_NOGVL_UBF_ASYNC_SAFE) as i32,
        );
    }
    call.result
}

struct Call<'a, T> {
    work: &'a mut dyn FnMut() -> Result<T>,
    result: Option<Result<T>>,
}

unsafe extern "C" fn run<T>(data: *mut c_void) -> *mut c_void {
    let call = &mut *data.cast::<Call<T>>();
    call.result = Some(catch_unwind(AssertUnwindSafe(|| (call.work)())).unwrap_or_else(|panic| Err(caught(&*panic))));
    null_mut()
}

unsafe extern "C" fn interrupt(stop: *mut c_void) {
    (*stop.cast::<AtomicBool>()).store(true, Ordering::Relaxed);
}

fn caught(panic: &(dyn Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().map(|s| (*s).to_string()).or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "unknown panic".into());
    Error::Internal(format!("meme_captioner has a defect, please report it with the image: {text}"))
}
