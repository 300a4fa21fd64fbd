//! `MemeCaptioner::Native::Model`: a model in the cache.

use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use captioner::captioner::{Batch, Caption, Captioner, Scores, Seconds};
use captioner::generate::TokenScore;
use captioner::models::Request;
use captioner::runtime::{self, ThreadPool};
use magnus::{method, prelude::*, Error, IntoValue, RArray, RHash, RModule, Ruby, TryConvert};

use crate::helpers::errors::{exception, to_ruby};
use crate::helpers::{classes::wrapped, gvl, options::option};
use crate::image::Image;

/// The weights are the cache's; this is a handle that keeps them while it lives.
#[magnus::wrap(class = "MemeCaptioner::Native::Model", free_immediately, frozen_shareable)]
pub struct Model(pub Arc<Captioner>);

/// A token, its log-probability, and the likeliest token in its place.
type Score = (u32, f32, u32);

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = wrapped::<Model>(ruby, native, "Model")?;
    class.define_method("caption", method!(Model::caption, 2))?;
    class.define_method("captions", method!(Model::captions, 2))?;
    class.define_method("batch_size", method!(Model::batch_size, 0))?;
    class.define_method("ids", method!(Model::ids, 2))?;
    class.define_method("text", method!(Model::text, 1))?;
    class.define_method("score", method!(Model::score, 3))?;
    class.define_method("compare", method!(Model::compare, 3))?;
    class.define_method("bytes", method!(Model::bytes, 0))?;
    class.define_method("touch", method!(Model::touch, 0))?;
    class.define_method("family", method!(Model::family, 0))
}

/// Every method that takes options takes those of [`Request`]: `task`, `prompt`, `num_beams`, `max_new_tokens` and
/// `image_splitting`.
impl Model {
    /// `caption(image, options)`: `[text, tokens, seconds]`, the seconds by what was done: `image`, `vision`, ...
    fn caption(ruby: &Ruby, model: &Self, image: &Image, options: RHash) -> Result<(String, usize, RHash), Error> {
        let mut caption = model.start(ruby, image, options)?;
        let text = heavy(ruby, |pool, stop| caption.advance(pool, stop))?;
        Ok((text, caption.tokens(), by_name(ruby, caption.seconds())?))
    }

    /// `captions(images, options)`: of each image what `caption` gives, or the exception that it would raise. Where something is
    /// wrong with more than an image, that is raised.
    fn captions(ruby: &Ruby, model: &Self, images: RArray, options: RHash) -> Result<RArray, Error> {
        let images = images.into_iter().map(|image| {
            let image = <&Image>::try_convert(image)?;
            Ok((image.input.clone(), image.limits))
        });
        let batch = Batch::new(&model.0, images.collect::<Result<_, Error>>()?, &request(ruby, options)?);
        let mut batch = batch.map_err(|error| to_ruby(ruby, &error))?;
        heavy(ruby, |pool, stop| batch.advance(pool, stop))?;
        let results = ruby.ary_new();
        for result in batch.results() {
            results.push(match result {
                Ok(made) => (made.text, made.ids.len(), by_name(ruby, &made.seconds)?).into_value_with(ruby),
                Err(error) => exception(ruby, to_ruby(ruby, &error))?,
            })?;
        }
        Ok(results)
    }

    /// `batch_size`: the images that `captions` does best at once.
    fn batch_size(&self) -> usize {
        self.0.model().batch_size()
    }

    /// `ids(image, options)`: the caption as generated token ids, the end included, which `text` turns into the caption.
    fn ids(ruby: &Ruby, model: &Self, image: &Image, options: RHash) -> Result<Vec<u32>, Error> {
        let mut caption = model.start(ruby, image, options)?;
        heavy(ruby, |pool, stop| caption.advance_ids(pool, stop))
    }

    /// `text(ids)`: the caption of token ids.
    fn text(&self, ids: Vec<u32>) -> String {
        self.0.model().text(&ids)
    }

    /// `score(image, options, ids)`: teacher forcing. `[[id, log_probability, best], ...]` says of each token of the caption
    /// `ids` (of whatever model with the same vocabulary) how likely this model finds it after the tokens before it, and
    /// which it finds the likeliest. Tokens that the generation settings force (a first `<s>`) are left out.
    fn score(ruby: &Ruby, model: &Self, image: &Image, options: RHash, ids: Vec<u32>) -> Result<Vec<Score>, Error> {
        let mut scores = Scores::new(model.start(ruby, image, options)?, ids);
        Ok(flat(heavy(ruby, |pool, stop| scores.advance(pool, stop))?))
    }

    /// `compare(image, options, ids)`: `[ids(...), score(...)]`, for little more than the price of the first, as the image is
    /// encoded once.
    fn compare(
        ruby: &Ruby,
        model: &Self,
        image: &Image,
        options: RHash,
        ids: Vec<u32>,
    ) -> Result<(Vec<u32>, Vec<Score>), Error> {
        let mut scores = Scores::new(model.start(ruby, image, options)?, ids);
        let (ids, scores) = heavy(ruby, |pool, stop| scores.advance_both(pool, stop))?;
        Ok((ids, flat(scores)))
    }

    /// A caption that nothing was done for yet.
    fn start(&self, ruby: &Ruby, image: &Image, options: RHash) -> Result<Caption, Error> {
        let caption = Caption::new(self.0.clone(), image.input.clone(), image.limits, request(ruby, options)?);
        caption.map_err(|error| to_ruby(ruby, &error))
    }

    /// `family`: its name.
    fn family(&self) -> &'static str {
        self.0.model().family()
    }

    /// `bytes`: of the weights.
    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// `touch`: makes every page of the weights resident.
    fn touch(&self) {
        self.0.touch();
    }
}

fn request(ruby: &Ruby, options: RHash) -> Result<Request, Error> {
    Ok(Request {
        task: option(ruby, options, "task")?,
        prompt: option(ruby, options, "prompt")?,
        num_beams: option(ruby, options, "num_beams")?,
        max_new_tokens: option(ruby, options, "max_new_tokens")?,
        image_splitting: option(ruby, options, "image_splitting")?,
    })
}

/// Computes without the GVL. The pool is chosen with it held: no fork can happen then, so it is this process's.
fn heavy<T>(ruby: &Ruby, mut work: impl FnMut(&ThreadPool, &AtomicBool) -> captioner::Result<T>) -> Result<T, Error> {
    let pool = runtime::pool().map_err(|error| to_ruby(ruby, &error))?;
    gvl::release(ruby, |stop| work(pool, stop))
}

fn by_name(ruby: &Ruby, seconds: &Seconds) -> Result<RHash, Error> {
    let hash = ruby.hash_new();
    for (phase, seconds) in seconds.iter() {
        hash.aset(ruby.to_symbol(phase.name()), seconds)?;
    }
    Ok(hash)
}

fn flat(scores: Vec<TokenScore>) -> Vec<Score> {
    scores.into_iter().map(|score| (score.token, score.log_probability, score.best)).collect()
}
