//! The process-global cache: one load per model, a memory limit, and nothing pulled from under a running caption.

mod florence2_support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use captioner::captioner::{Batch, Caption, Captioner, Input, Scores};
use captioner::image::Limits;
use captioner::kernels::Compute;
use captioner::models::Request;
use captioner::{cache, runtime, Error};
use florence2_support::Cases;

/// The cache is global, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());
static GO: AtomicBool = AtomicBool::new(false);

fn load(cases: &Cases) -> captioner::Result<Captioner> {
    Captioner::load(&cases.checkpoint(&cases.cases[0]), true, Compute::Exact)
}

fn start(captioner: &Arc<Captioner>, cases: &Cases) -> Caption {
    let input = Input::Path(cases.image_path(&cases.cases[0]));
    let request = Request { max_new_tokens: Some(8), ..Request::default() };
    Caption::new(captioner.clone(), input, Limits::default(), request).unwrap()
}

fn caption(captioner: Arc<Captioner>, cases: &Cases) -> String {
    let mut caption = start(&captioner, cases);
    caption.advance(runtime::pool().unwrap(), &GO).unwrap()
}

#[test]
fn sixteen_threads_load_once_and_caption_alike() {
    let _turn = TURN.lock().unwrap();
    let (cases, loads, start) = (Cases::read(), AtomicUsize::new(0), Barrier::new(16));
    let captions: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            start.wait();
            let captioner = cache::fetch("sixteen", None, &GO, || {
                loads.fetch_add(1, Ordering::Relaxed);
                load(&cases)
            });
            caption(captioner.unwrap(), &cases)
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(loads.into_inner(), 1);
    assert!(captions.windows(2).all(|pair| pair[0] == pair[1]), "{captions:?}");
    assert!(cache::unload("sixteen").is_some() && cache::unload("sixteen").is_none());
}

#[test]
fn the_limit_drops_what_was_used_least_recently() {
    let _turn = TURN.lock().unwrap();
    let cases = Cases::read();
    let bytes = load(&cases).unwrap().bytes();
    let fetch = |key: &str, models: usize| cache::fetch(key, Some(bytes * models), &GO, || load(&cases)).unwrap();
    let keys = || cache::loaded().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let first = fetch("a", 2);
    fetch("b", 2);
    fetch("a", 2);
    fetch("c", 2);
    assert_eq!(keys(), ["a", "c"], "b was used least recently");
    fetch("d", 1);
    assert_eq!(keys(), ["d"], "the one just loaded stays even if it alone is too large");
    assert!(!caption(first, &cases).is_empty(), "a model that was dropped works on for those who have it");
    cache::unload("d");
}

#[test]
fn a_failed_load_leaves_nothing_behind() {
    let _turn = TURN.lock().unwrap();
    let cases = Cases::read();
    let failed = cache::fetch("failing", None, &GO, || Err(Error::CorruptModel("no".into())));
    assert!(matches!(failed, Err(Error::CorruptModel(_))));
    let panicked = std::panic::catch_unwind(|| cache::fetch("failing", None, &GO, || panic!("a defect")));
    assert!(panicked.is_err());
    assert!(cache::fetch("failing", None, &GO, || load(&cases)).is_ok(), "the next one loads");
    cache::unload("failing");
}

#[test]
fn waiting_for_another_load_can_be_interrupted() {
    let _turn = TURN.lock().unwrap();
    let (cases, loading) = (Cases::read(), Barrier::new(2));
    let (stop, finish) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            cache::fetch("slow", None, &GO, || {
                loading.wait();
                while !finish.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                load(&cases)
            })
        });
        loading.wait();
        assert!(matches!(cache::fetch("slow", None, &stop, || load(&cases)), Err(Error::Interrupted)));
        finish.store(true, Ordering::Relaxed);
    });
    cache::unload("slow");
}

/// Calls `work` until it is done, while another thread keeps stopping it; gives its result and how often it was stopped.
fn while_stopped<T: Send>(mut work: impl FnMut(&AtomicBool) -> captioner::Result<T> + Send) -> (T, usize) {
    let (stop, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let (stop, done, mut stopped) = (&stop, &done, 0);
    let result = std::thread::scope(|scope| {
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                stop.store(true, Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        });
        loop {
            stop.store(false, Ordering::Relaxed);
            match work(stop) {
                Err(Error::Interrupted) => stopped += 1,
                result => {
                    done.store(true, Ordering::Relaxed);
                    break result.unwrap();
                }
            };
        }
    });
    (result, stopped)
}

/// Tries again while the work was done before the other thread came to stop it.
fn stop_at_least_once(mut attempt: impl FnMut() -> usize) {
    assert!((0..500).any(|_| attempt() > 0), "it was never stopped");
}

#[test]
fn a_caption_goes_on_where_it_was_stopped() {
    let cases = Cases::read();
    let captioner = Arc::new(load(&cases).unwrap());
    let whole = caption(captioner.clone(), &cases);
    let mut caption = start(&captioner, &cases);
    let (stop, pool) = (AtomicBool::new(true), runtime::pool().unwrap());
    let stopped = caption.advance(pool, &stop);
    assert!(matches!(stopped, Err(Error::Interrupted)), "nothing is done before the flag is looked at");
    stop_at_least_once(|| {
        let (resumed, stopped) = while_stopped(|stop| caption.advance(pool, stop));
        assert_eq!(resumed, whole);
        caption = start(&captioner, &cases);
        stopped
    });
}

#[test]
fn scores_go_on_where_they_were_stopped() {
    let cases = Cases::read();
    let captioner = Arc::new(load(&cases).unwrap());
    let pool = runtime::pool().unwrap();
    let ids = start(&captioner, &cases).advance_ids(pool, &GO).unwrap();
    let whole = Scores::new(start(&captioner, &cases), ids.clone()).advance(pool, &GO).unwrap();
    let expected = (ids.clone(), whole);
    stop_at_least_once(|| {
        let mut scores = Scores::new(start(&captioner, &cases), ids.clone());
        let (both, stopped) = while_stopped(|stop| scores.advance_both(pool, stop));
        assert_eq!(both, expected);
        stopped
    });
}

/// A file may be long in coming, from a disk that sleeps or over a network: others caption meanwhile. Here the pool is busy instead.
#[test]
fn no_thread_of_the_pool_reads_a_file() {
    let cases = Cases::read();
    let captioner = Arc::new(load(&cases).unwrap());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    pool.spawn(move || held.recv().unwrap_or_default());
    let missing = || (Input::Path("/no/such/image.png".into()), Limits::default());
    let (input, limits) = missing();
    let mut caption = Caption::new(captioner.clone(), input, limits, Request::default()).unwrap();
    assert!(matches!(caption.advance(&pool, &GO), Err(Error::NotFound(_))));
    let mut batch = Batch::new(&captioner, vec![missing(), missing()], &Request::default()).unwrap();
    batch.advance(&pool, &GO).unwrap();
    assert!(batch.results().iter().all(|result| matches!(result, Err(Error::NotFound(_)))));
    drop(release);
}
