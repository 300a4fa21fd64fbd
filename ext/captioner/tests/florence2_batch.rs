//! Captions of several images at once against each image's alone: the same ids, bit for bit the same arithmetic.

mod florence2_support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use captioner::captioner::{Batch, Caption, Captioned, Captioner, Input, Run};
use captioner::generate::Writing;
use captioner::image::Limits;
use captioner::kernels::Compute;
use captioner::models::{family, own_recipe, pack, Request};
use captioner::nn::with_values;
use captioner::{runtime, Error, Result};
use florence2_support::Cases;

/// Images of different sizes, whose captions have different lengths.
fn images(cases: &Cases) -> Vec<PathBuf> {
    let mut images: Vec<PathBuf> = cases.cases.iter().map(|case| cases.image_path(case)).collect();
    images.sort();
    images.dedup();
    images
}

fn request(num_beams: usize) -> Request {
    Request { num_beams: Some(num_beams), max_new_tokens: Some(24), ..Request::default() }
}

fn alone(captioner: &Arc<Captioner>, image: &Path, request: &Request) -> Result<(String, Vec<u32>)> {
    let (pool, stop) = (runtime::pool()?, AtomicBool::new(false));
    let input = Input::Path(image.into());
    let mut caption = Caption::new(captioner.clone(), input, Limits::default(), request.clone())?;
    let ids = caption.advance_ids(pool, &stop)?;
    Ok((captioner.model().text(&ids), ids))
}

fn batch(captioner: &Arc<Captioner>, images: &[PathBuf], request: &Request) -> Batch {
    let images = images.iter().map(|image| (Input::Path(image.clone()), Limits::default()));
    Batch::new(captioner, images.collect(), request).unwrap()
}

fn together(captioner: &Arc<Captioner>, images: &[PathBuf], request: &Request) -> Vec<Result<Captioned>> {
    let mut batch = batch(captioner, images, request);
    batch.advance(runtime::pool().unwrap(), &AtomicBool::new(false)).unwrap();
    batch.results()
}

/// Two checkpoints in 16 or 32 bits and in 4, computed in every way.
fn captioners(cases: &Cases) -> Vec<(String, Arc<Captioner>)> {
    let mut folders: Vec<PathBuf> = cases.cases.iter().map(|case| cases.checkpoint(case)).collect();
    folders.sort();
    folders.dedup();
    let mut captioners = Vec::new();
    for folder in [&folders[0], &folders[folders.len() - 1]] {
        let packed = folder.with_extension("int4");
        let recipe = own_recipe(folder, &family(folder).unwrap().recipe("precise").unwrap()).unwrap();
        pack(folder, &recipe, "test", &packed, runtime::pool().unwrap(), &|| false).unwrap();
        for (place, compute) in
            [(folder, Compute::Exact), (&packed, Compute::Fast), (&packed, Compute::Bf16), (&packed, Compute::Exact)]
        {
            let captioner = Captioner::load(place, true, compute).unwrap();
            captioners.push((format!("{} {}", place.display(), compute.name()), Arc::new(captioner)));
        }
    }
    captioners
}

#[test]
fn every_caption_is_what_it_is_alone() {
    let cases = Cases::read();
    let images = images(&cases);
    assert!(images.len() >= 3, "{images:?}");
    // 9 beams are too many for one product with those of others.
    for (name, captioner) in captioners(&cases) {
        for num_beams in [1, 3, 9] {
            let request = request(num_beams);
            let expected: Vec<_> = images.iter().map(|image| alone(&captioner, image, &request).unwrap()).collect();
            for size in [1, 2, images.len()] {
                let found = images.chunks(size).flat_map(|images| together(&captioner, images, &request));
                let found: Vec<_> = found.map(|made| made.map(|made| (made.text, made.ids)).unwrap()).collect();
                assert_eq!(found, expected, "{name}, {num_beams} beams, {size} at once");
            }
        }
    }
}

#[test]
fn logits_are_the_same_bits() {
    let cases = Cases::read();
    let images = images(&cases);
    for (name, captioner) in captioners(&cases) {
        let start = |image: &Path| {
            let image = captioner::image::load_path(image, &Limits::default()).unwrap();
            let mut run = Run::new(captioner.model(), image, &request(3)).unwrap();
            while !run.is_encoded() {
                run.step().unwrap();
            }
            run
        };
        let (mut alone, mut others): (Vec<Run>, Vec<Run>) = images.iter().map(|i| (start(i), start(i))).unzip();
        for step in 0..12 {
            for run in &mut alone {
                run.step().unwrap();
            }
            Writing::step_all(others.iter_mut().map(|run| run.writing().unwrap()).collect()).unwrap();
            for (alone, other) in alone.iter().zip(&others) {
                let bits = |run: &Run| {
                    let (_, logits) = run.tap().unwrap();
                    with_values(logits, |values| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>()).unwrap()
                };
                assert_eq!(bits(alone), bits(other), "{name}, step {step}");
            }
        }
    }
}

#[test]
fn an_image_that_fails_stops_no_other() {
    let cases = Cases::read();
    let captioner = Arc::new(Captioner::load(&cases.checkpoint(&cases.cases[0]), true, Compute::Exact).unwrap());
    let good = images(&cases);
    let (folder, request) = (tempfile::tempdir().unwrap(), request(3));
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\nand nothing").unwrap();
    let images = vec![good[0].clone(), broken, good[1].clone(), folder.path().join("missing.png"), good[2].clone()];
    let found = together(&captioner, &images, &request);
    for at in [0, 2, 4] {
        assert_eq!(found[at].as_ref().unwrap().ids, alone(&captioner, &images[at], &request).unwrap().1);
    }
    assert!(matches!(found[1], Err(Error::UnreadableImage(_))), "{:?}", found[1]);
    assert!(matches!(found[3], Err(Error::NotFound(_))), "{:?}", found[3]);
    assert!(together(&captioner, &[], &request).is_empty());
    let task = Request { task: Some("<NO>".into()), ..Request::default() };
    let input = (Input::Path(images[0].clone()), Limits::default());
    assert!(matches!(Batch::new(&captioner, vec![input], &task), Err(Error::InvalidArgument(_))));
}

/// Stopped again and again, wherever it is, and taken up again.
#[test]
fn a_batch_goes_on_where_it_was_stopped() {
    let cases = Cases::read();
    let captioner = Arc::new(Captioner::load(&cases.checkpoint(&cases.cases[0]), true, Compute::Exact).unwrap());
    let (images, request, pool) = (images(&cases), request(3), runtime::pool().unwrap());
    let expected: Vec<_> = images.iter().map(|image| alone(&captioner, image, &request).unwrap().1).collect();
    let (mut batch, mut stops) = (batch(&captioner, &images, &request), 0);
    loop {
        let stop = AtomicBool::new(stops == 0);
        let advanced = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(500 + 500 * stops));
                stop.store(true, Ordering::Relaxed);
            });
            batch.advance(pool, &stop)
        });
        match advanced {
            Ok(()) => break,
            Err(Error::Interrupted) => stops += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(stops > 1, "it was stopped {stops} times");
    let found: Vec<_> = batch.results().into_iter().map(|made| made.unwrap().ids).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_done_is_interrupted() {
    let cases = Cases::read();
    let captioner = Arc::new(Captioner::load(&cases.checkpoint(&cases.cases[0]), true, Compute::Exact).unwrap());
    let mut batch = batch(&captioner, &images(&cases), &request(3));
    let stopped = batch.advance(runtime::pool().unwrap(), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert!(batch.results().iter().all(|made| matches!(made, Err(Error::Interrupted))));
}
