//! Where a caption's time goes: `stage_times MODEL IMAGE [CAPTIONS] [NEW_TOKENS] [COMPUTE] [BEAMS]`, medians over CAPTIONS (5)
//! captions of NEW_TOKENS (64) tokens. MODEL is a folder or a packed file.
//!
//! Prints a table in Markdown: seconds of every part and its share.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use captioner::image::{load_path, Limits};
use captioner::kernels::{Compute, Isa};
use captioner::models::florence2::{Florence2, Options, Reached, Stage};
use captioner::{runtime, Result};

/// What is timed; the order in which it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Image,
    PatchEmbedding(usize),
    SpatialBlocks(usize),
    ChannelBlocks(usize),
    Projector,
    Encoder,
    FirstToken,
    OtherTokens,
}

impl Part {
    fn title(self) -> String {
        match self {
            Part::Image => "reading the image".into(),
            Part::PatchEmbedding(stage) => format!("vision stage {}, patch embedding", stage + 1),
            Part::SpatialBlocks(stage) => format!("vision stage {}, spatial blocks", stage + 1),
            Part::ChannelBlocks(stage) => format!("vision stage {}, channel blocks", stage + 1),
            Part::Projector => "projector".into(),
            Part::Encoder => "encoder".into(),
            Part::FirstToken => "decoder, first token".into(),
            Part::OtherTokens => "decoder, all other tokens".into(),
        }
    }

    fn is_vision(self) -> bool {
        matches!(self, Part::PatchEmbedding(_) | Part::SpatialBlocks(_) | Part::ChannelBlocks(_))
    }
}

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
    let options = Options {
        max_new_tokens: Some(number(1, 64)),
        num_beams: rest.get(3).and_then(|n| n.parse().ok()),
        ..Options::default()
    };
    let model = Florence2::load(model, true, compute)?;
    caption(&model, image, &options)?;
    let captions = (0..number(0, 5)).map(|_| caption(&model, image, &options)).collect::<Result<Vec<_>>>()?;
    let tokens = captions[0].1;
    let parts: BTreeMap<Part, f64> = captions[0]
        .0
        .keys()
        .map(|part| (*part, median(captions.iter().map(|caption| caption.0[part]).collect())))
        .collect();
    let whole: f64 = parts.values().sum();
    println!(
        "compute {}, kernels {}, {} threads, {tokens} tokens\n",
        compute.name(),
        Isa::current().name(),
        runtime::threads()
    );
    println!("| part | seconds | share |\n| --- | --- | --- |");
    for (part, seconds) in &parts {
        println!("| {} | {seconds:.4} | {:.1} % |", part.title(), 100.0 * seconds / whole);
    }
    let vision: f64 = parts.iter().filter(|(part, _)| part.is_vision()).map(|(_, seconds)| seconds).sum();
    println!("| the vision tower | {vision:.4} | {:.1} % |\n| the caption | {whole:.4} | |", 100.0 * vision / whole);
    if let (Some(others), true) = (parts.get(&Part::OtherTokens), tokens > 1) {
        println!("| a decoder step after the first | {:.5} | |", others / (tokens - 1) as f64);
    }
    Ok(())
}

/// Seconds by part, and the tokens made.
fn caption(model: &Florence2, image: &Path, options: &Options) -> Result<(BTreeMap<Part, f64>, usize)> {
    let mut seconds = BTreeMap::new();
    let mut started = Instant::now();
    let mut run = model.start(&load_path(image, &Limits::default())?, options)?;
    seconds.insert(Part::Image, started.elapsed().as_secs_f64());
    // Steps of this stage so far: the patch embedding, then a spatial and a channel block in turn.
    let (mut stage, mut steps, mut tokens) = (0, 0, 0);
    loop {
        started = Instant::now();
        let reached = model.step(&mut run)?;
        let part = match reached {
            Stage::Vision(reached) => {
                let part = match steps {
                    0 => Part::PatchEmbedding(stage),
                    n if n % 2 == 1 => Part::SpatialBlocks(stage),
                    _ => Part::ChannelBlocks(stage),
                };
                steps += 1;
                if let Reached::Stage(done) | Reached::End(done) = reached {
                    (stage, steps) = (done + 1, 0);
                }
                part
            }
            Stage::ImageFeatures => Part::Projector,
            Stage::EncoderLayer | Stage::Encoder => Part::Encoder,
            Stage::Token | Stage::Done => {
                tokens += 1;
                if tokens == 1 {
                    Part::FirstToken
                } else {
                    Part::OtherTokens
                }
            }
        };
        *seconds.entry(part).or_insert(0.0) += started.elapsed().as_secs_f64();
        if reached == Stage::Done {
            return Ok((seconds, tokens));
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}
