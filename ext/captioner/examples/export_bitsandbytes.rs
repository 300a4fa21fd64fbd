//! Writes a folder that transformers loads with bitsandbytes, from a checkpoint folder or a packed file:
//! `export_bitsandbytes SOURCE OUT_DIR`.

use std::path::Path;
use std::time::Instant;

use captioner::models::export;
use captioner::runtime;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, out] = arguments.as_slice() else {
        eprintln!("export_bitsandbytes SOURCE OUT_DIR");
        std::process::exit(2);
    };
    let started = Instant::now();
    let run = || export(Path::new(source), Path::new(out));
    if let Err(error) = runtime::pool().and_then(|pool| pool.install(run)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    println!("{out} in {:.2} s", started.elapsed().as_secs_f64());
}
