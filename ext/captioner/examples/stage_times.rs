//! Where a caption's time goes: `stage_times MODEL IMAGE [CAPTIONS] [NEW_TOKENS] [COMPUTE] [BEAMS]`, medians over CAPTIONS (5)
//! captions of NEW_TOKENS (64) tokens. MODEL is a folder or a packed file.
//!
//! Prints a table in Markdown: seconds of every part and its share.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use captioner::captioner::Run;
use captioner::image::{load_path, Limits};
use captioner::kernels::{Compute, Isa};
use captioner::models::{self, Model, Phase, Request};
use captioner::{runtime, Result};

/// What is timed, in the order in which it is done.
type Parts = Vec<((Phase, String), f64)>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, image, rest @ ..] = arguments.as_slice() else {
        eprintln!("stage_times MODEL IMAGE [CAPTIONS] [NEW_TOKENS] [COMPUTE] [BEAMS]");
        std::process::exit(2);
    };
    let run = || report(Path::new(model), Path::new(image), rest);
    if let Err(error) = runtime::pool().and_then(|pool| pool.install(run)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn report(model: &Path, image: &Path, rest: &[String]) -> Result<()> {
    let number = |at: usize, default: usize| rest.get(at).and_then(|n| n.parse().ok()).unwrap_or(default);
    let compute = rest.get(2).map_or(Ok(Compute::default()), |name| name.parse())?;
    let request = Request {
        max_new_tokens: Some(number(1, 64)),
        num_beams: rest.get(3).and_then(|n| n.parse().ok()),
        ..Request::default()
    };
    let model = models::load(model, true, compute)?;
    caption(&model, image, &request)?;
    let captions = (0..number(0, 5)).map(|_| caption(&model, image, &request)).collect::<Result<Vec<_>>>()?;
    let tokens = captions[0].1;
    let parts = captions[0].0.iter().enumerate();
    let parts: Parts = parts
        .map(|(i, (part, _))| (part.clone(), median(captions.iter().map(|caption| caption.0[i].1).collect())))
        .collect();
    let whole: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    println!(
        "compute {}, kernels {}, {} threads, {tokens} tokens\n",
        compute.name(),
        Isa::current().name(),
        runtime::threads()
    );
    println!("| part | seconds | share |\n| --- | --- | --- |");
    for ((_, title), seconds) in &parts {
        println!("| {title} | {seconds:.4} | {:.1} % |", 100.0 * seconds / whole);
    }
    let vision: f64 = parts.iter().filter(|((phase, _), _)| *phase == Phase::Vision).map(|(_, seconds)| seconds).sum();
    println!("| vision in all | {vision:.4} | {:.1} % |\n| the caption | {whole:.4} | |", 100.0 * vision / whole);
    if let (Some((_, others)), true) = (parts.iter().find(|((_, title), _)| title == OTHER_TOKENS), tokens > 1) {
        println!("| a decoder step after the first | {:.5} | |", others / (tokens - 1) as f64);
    }
    Ok(())
}

const OTHER_TOKENS: &str = "decoder, all other tokens";

/// Seconds by part, and the tokens made.
fn caption(model: &Arc<dyn Model>, image: &Path, request: &Request) -> Result<(Parts, usize)> {
    let mut started = Instant::now();
    let mut run = Run::new(model, load_path(image, &Limits::default())?, request)?;
    let mut parts = vec![((Phase::Image, "reading the image".to_string()), started.elapsed().as_secs_f64())];
    let mut tokens = 0;
    while !run.is_done() {
        started = Instant::now();
        let advance = run.step()?;
        let title = match (advance.phase, tokens) {
            (Phase::Decoder, 0) => "decoder, first token".into(),
            (Phase::Decoder, _) => OTHER_TOKENS.into(),
            _ => advance.part,
        };
        tokens += usize::from(advance.phase == Phase::Decoder);
        let seconds = started.elapsed().as_secs_f64();
        match parts.iter_mut().find(|((_, own), _)| *own == title) {
            Some((_, sum)) => *sum += seconds,
            None => parts.push(((advance.phase, title), seconds)),
        }
    }
    Ok((parts, tokens))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}
