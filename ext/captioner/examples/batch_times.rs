//! Captions a minute by the number of images that are captioned together: `batch_times MODEL FOLDER [SIZES] [ROUNDS] [IMAGES]
//! [NEW_TOKENS] [COMPUTE]`, by default sizes 1,2,4,8,16 in 3 rounds of 16 images of FOLDER and 64 tokens. MODEL is a folder or a
//! packed file; 1 stands for one after the other, as `extract` does it.
//!
//! Sizes take turns within a round; the table has medians. CPU seconds are those of all threads, so they tell more than the
//! clock where other processes have the machine too. The memory's peak is that of all sizes before: give one size to have its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::Instant;

use captioner::captioner::{Batch, Caption, Captioner, Input};
use captioner::image::Limits;
use captioner::kernels::{Compute, Isa};
use captioner::models::Request;
use captioner::{runtime, Result};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, rest @ ..] = arguments.as_slice() else {
        eprintln!("batch_times MODEL FOLDER [SIZES] [ROUNDS] [IMAGES] [NEW_TOKENS] [COMPUTE]");
        std::process::exit(2);
    };
    if let Err(error) = report(Path::new(model), Path::new(folder), rest) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Of one round: seconds by the clock and of all threads, and the captions' ids.
struct Round {
    clock: f64,
    cpu: f64,
    ids: Vec<Vec<u32>>,
}

fn report(model: &Path, folder: &Path, rest: &[String]) -> Result<()> {
    let number = |at: usize, default: usize| rest.get(at).and_then(|n| n.parse().ok()).unwrap_or(default);
    let sizes = rest.first().map_or("1,2,4,8,16", String::as_str).split(',').filter_map(|size| size.parse().ok());
    let (sizes, images) = (sizes.collect::<Vec<usize>>(), images(folder, number(2, 16))?);
    let compute = rest.get(4).map_or(Ok(Compute::default()), |name| name.parse())?;
    let request = Request { max_new_tokens: Some(number(3, 64)), ..Request::default() };
    let before = memory("VmRSS");
    let captioner = Arc::new(Captioner::load(model, true, compute)?);
    caption(&captioner, &images[..1], sizes[0], &request)?;
    let mut rounds: Vec<Vec<Round>> = sizes.iter().map(|_| Vec::new()).collect();
    let mut peaks = vec![0.0; sizes.len()];
    for _ in 0..number(1, 3) {
        for (at, size) in sizes.iter().enumerate() {
            rounds[at].push(caption(&captioner, &images, *size, &request)?);
            peaks[at] = memory("VmHWM") - before;
        }
    }
    println!(
        "compute {}, kernels {}, {} threads, {} images\n",
        compute.name(),
        Isa::current().name(),
        runtime::threads(),
        images.len()
    );
    println!("| images at once | captions a minute | of one at a time | CPU s a caption | captions equal | MiB added at the peak |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let median_of = |rounds: &[Round], value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    for ((size, own), peak) in sizes.iter().zip(&rounds).zip(&peaks) {
        let count = images.len() as f64;
        let ratio = median(own.iter().zip(&rounds[0]).map(|(own, first)| first.clock / own.clock).collect());
        let equal = own[0].ids.iter().zip(&rounds[0][0].ids).filter(|(own, first)| own == first).count();
        let clock = median_of(own, |round| round.clock);
        let cpu = median_of(own, |round| round.cpu) / count;
        println!("| {size} | {:.1} | {ratio:.2} | {cpu:.3} | {equal} | {peak:.0} |", 60.0 * count / clock);
    }
    Ok(())
}

/// So many of the folder's images, again from the first where there are not as many.
fn images(folder: &Path, count: usize) -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder).map_err(|_| captioner::Error::NotFound(folder.into()))?;
    let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind != "json"));
    files.sort();
    Ok(files.into_iter().cycle().take(count).collect())
}

fn caption(captioner: &Arc<Captioner>, images: &[PathBuf], size: usize, request: &Request) -> Result<Round> {
    let (pool, stop) = (runtime::pool()?, AtomicBool::new(false));
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let mut ids = Vec::new();
    for images in images.chunks(size) {
        let images = images.iter().map(|image| (Input::Path(image.clone()), Limits::default()));
        if size == 1 {
            for (input, limits) in images {
                let mut caption = Caption::new(captioner.clone(), input, limits, request.clone())?;
                ids.push(caption.advance_ids(pool, &stop)?);
            }
        } else {
            let mut batch = Batch::new(captioner, images.collect(), request)?;
            batch.advance(pool, &stop)?;
            for captioned in batch.results() {
                ids.push(captioned?.ids);
            }
        }
    }
    Ok(Round { clock: started.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu, ids })
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    // SAFETY: a plain structure of numbers, filled by the call.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// MiB of a line of /proc/self/status, where there is one.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}
