//! Packs a checkpoint folder into one file: `pack MODEL_DIR OUT.safetensors [RECIPE]`, a recipe being a name that the
//! family has, or rules such as `all=nf4-64-double,embedding=int8` (`captioner::weights::packed::Recipe`).

use std::path::Path;
use std::time::Instant;

use captioner::models::{family, own_recipe, pack};
use captioner::weights::packed::Recipe;
use captioner::{runtime, Result};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, out, rest @ ..] = arguments.as_slice() else {
        eprintln!("pack MODEL_DIR OUT.safetensors [RECIPE]");
        std::process::exit(2);
    };
    let (model, out) = (Path::new(model), Path::new(out));
    let run = || -> Result<Recipe> {
        let recipe = own_recipe(model, &family(model)?.recipe(rest.first().map_or("compact", String::as_str))?)?;
        pack(model, &recipe, "example", out, runtime::pool()?, &|| false)?;
        Ok(recipe)
    };
    let started = Instant::now();
    match run() {
        Ok(recipe) => {
            let mebibytes = std::fs::metadata(out).map_or(0, |about| about.len()) as f64 / f64::from(1 << 20);
            println!("{} {mebibytes:.2} MiB in {:.2} s", recipe.name(), started.elapsed().as_secs_f64());
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
