//! Recipes: which matrix is stored in which form.
//!
//! A recipe is a list of rules `PLACE=FORM`; of those that hold for a matrix the last one counts, and without any it stays as
//! the checkpoint has it. Norms, biases and depthwise kernels always do.
//!
//! ```text
//! recipe  rule,rule,...
//! rule    PLACE=FORM
//! PLACE   all           every matrix
//!         vision        the vision tower and the projector
//!         encoder       the text encoder
//!         decoder       the text decoder, without the output layer
//!         embedding     the token table, which is the output layer too
//!         convolution   patch convolutions
//!         a.b.*.c       what begins so in Microsoft's layout, * being any one part: vision_tower.blocks.0
//! FORM    keep          as the checkpoint has it
//!         int8          int8 rows
//!         nf4-64-double            4-bit blocks: code, values a block, plain or double-quantized scales
//!         nf4-64-double-fitted     the same with scales that make the squared error smallest
//! ```

use std::fmt;
use std::str::FromStr;

use crate::quant::{Codebook, Fit, Scheme};
use crate::weights::TOKEN_EMBEDDINGS;
use crate::{Error, Result};

/// How a matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As the checkpoint has it.
    Kept,
    /// 4-bit blocks, and how their scales are found.
    Blocks(Scheme, Fit),
    /// int8 with an f16 scale for each row.
    Int8,
}

/// The matrices that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Every matrix.
    All,
    /// The vision tower and the projector.
    Vision,
    /// The text encoder's linears and positions.
    Encoder,
    /// The text decoder's linears and positions.
    Decoder,
    /// The token table, which is the output layer too.
    Embedding,
    /// Patch convolutions.
    Convolution,
    /// What begins with these parts of a name.
    Below(String),
}

/// A choice of forms, with the name that a file carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    name: String,
    rules: Vec<(Place, Form)>,
}

const PLACES: [(&str, Place); 6] = [
    ("all", Place::All),
    ("vision", Place::Vision),
    ("encoder", Place::Encoder),
    ("decoder", Place::Decoder),
    ("embedding", Place::Embedding),
    ("convolution", Place::Convolution),
];

impl Place {
    /// Does the matrix `name` (in Microsoft's layout) of `shape` belong here?
    fn holds(&self, name: &str, shape: &[usize]) -> bool {
        match self {
            Place::All => true,
            Place::Vision => !name.starts_with("language_model."),
            Place::Embedding => TOKEN_EMBEDDINGS.contains(&name),
            Place::Convolution => shape.len() == 4,
            Place::Encoder => !TOKEN_EMBEDDINGS.contains(&name) && below(name, "language_model.model.encoder"),
            Place::Decoder => !TOKEN_EMBEDDINGS.contains(&name) && below(name, "language_model.model.decoder"),
            Place::Below(path) => below(name, path),
        }
    }
}

/// Is `name` the tensor `path`, or one below it? A part `*` of the path is any part of the name.
fn below(name: &str, path: &str) -> bool {
    let mut parts = name.split('.');
    path.split('.').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}

impl Recipe {
    /// Every matrix in NF4, blocksize 64, double quantization.
    pub fn compact() -> Self {
        Self::of("compact", vec![(Place::All, Form::Blocks(Scheme::NF4, Fit::Largest))])
    }

    /// [`Recipe::compact`], but int8 for the matrices that most of its errors come from and that are few: those that pixels
    /// and positions pass on their way in, and those of the decoder that the image passes. docs/quality.md has the figures.
    pub fn mixed() -> Self {
        let below = |path: &str| (Place::Below(path.into()), Form::Int8);
        let cross = |layer: &str| below(&format!("language_model.model.decoder.layers.*.encoder_attn.{layer}"));
        let own = [
            (Place::Convolution, Form::Int8),
            below("vision_tower.blocks.0"),
            below("vision_tower.blocks.1"),
            below("image_projection"),
            below("language_model.model.*.embed_positions"),
            cross("k_proj"),
            cross("v_proj"),
            cross("out_proj"),
        ];
        Self::of("mixed", [Self::compact().rules, own.to_vec()].concat())
    }

    /// [`Recipe::mixed`], and int8 for all of the decoder and for the token table: 4 bits for what reads the image and the
    /// prompt, 8 for what writes the caption.
    pub fn precise() -> Self {
        let own = [(Place::Decoder, Form::Int8), (Place::Embedding, Form::Int8)];
        Self::of("precise", [Self::mixed().rules, own.to_vec()].concat())
    }

    /// The token table in int8 and patch convolutions as they are; the rest as in `compact`.
    pub fn balanced() -> Self {
        let own = [(Place::Embedding, Form::Int8), (Place::Convolution, Form::Kept)];
        Self::of("balanced", [Self::compact().rules, own.to_vec()].concat())
    }

    /// What bitsandbytes quantized stays as it is, and so does the rest. Not to be chosen: a checkpoint has it or not.
    pub fn linears() -> Self {
        Self::of("linears", Vec::new())
    }

    /// Those that can be chosen by name, the smallest files first.
    pub fn all() -> [Self; 4] {
        [Self::compact(), Self::mixed(), Self::balanced(), Self::precise()]
    }

    fn of(name: &str, rules: Vec<(Place, Form)>) -> Self {
        Self { name: name.into(), rules }
    }

    /// The recipe of a name.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown one.
    pub fn named(name: &str) -> Result<Self> {
        let unknown =
            || Error::InvalidArgument(format!("unknown recipe {name:?}; compact, mixed, precise or balanced"));
        Self::all().into_iter().find(|recipe| recipe.name == name).ok_or_else(unknown)
    }

    /// Its name; a recipe of its own rules is named by them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rules as text.
    pub fn rules(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(|(place, form)| format!("{place}={form}")).collect();
        rules.join(",")
    }

    /// The form of the matrix `name` (in Microsoft's layout) of `shape`.
    pub fn form(&self, name: &str, shape: &[usize]) -> Form {
        let rule = self.rules.iter().rev().find(|(place, _)| place.holds(name, shape));
        rule.map_or(Form::Kept, |(_, form)| *form)
    }
}

/// A name, or rules.
impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if !text.contains('=') {
            return Self::named(text);
        }
        let wrong = || Error::InvalidArgument(format!("{text:?} is no recipe: PLACE=FORM,PLACE=FORM,..."));
        let rules = text.split(',').map(|rule| {
            let (place, form) = rule.split_once('=').ok_or_else(wrong)?;
            Ok((place.parse()?, form.parse()?))
        });
        let mut recipe = Self::of("", rules.collect::<Result<_>>()?);
        recipe.name = recipe.rules();
        Ok(recipe)
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, place)) = PLACES.iter().find(|(name, _)| *name == text) {
            return Ok(place.clone());
        }
        let is_part =
            |part: &str| part == "*" || !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_path = text.contains(['.', '_']) && text.split('.').all(is_part);
        let unknown = || {
            let known = PLACES.map(|(name, _)| name).join(", ");
            Error::InvalidArgument(format!("{text:?} is no place of a recipe: {known}, or the path of a tensor"))
        };
        is_path.then(|| Place::Below(text.into())).ok_or_else(unknown)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let known = PLACES.iter().find(|(_, place)| place == self).map(|(name, _)| *name);
        match (self, known) {
            (Place::Below(path), _) => f.write_str(path),
            (_, name) => f.write_str(name.unwrap_or("all")),
        }
    }
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, fit) = match text {
            "keep" => return Ok(Form::Kept),
            "int8" => return Ok(Form::Int8),
            other => match other.strip_suffix("-fitted") {
                Some(scheme) => (scheme, Fit::LeastSquares),
                None => (other, Fit::Largest),
            },
        };
        let example = "keep, int8, or blocks such as nf4-64-double or int4-32-plain-fitted";
        let scheme = parse_scheme(scheme)
            .map_err(|error| Error::InvalidArgument(format!("{text:?} is no form of a recipe ({error}): {example}")))?;
        if scheme.code() == Codebook::Fp4 {
            return Err(Error::InvalidArgument("fp4 is read from checkpoints, not written; use nf4".into()));
        }
        Ok(Form::Blocks(scheme, fit))
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Form::Kept => f.write_str("keep"),
            Form::Int8 => f.write_str("int8"),
            Form::Blocks(scheme, Fit::Largest) => f.write_str(&format_scheme(*scheme)),
            Form::Blocks(scheme, Fit::LeastSquares) => write!(f, "{}-fitted", format_scheme(*scheme)),
        }
    }
}

/// A scheme as text: `nf4-64-double`, `int4-128-plain`.
pub(super) fn format_scheme(scheme: Scheme) -> String {
    let scales = if scheme.double_quant() { "double" } else { "plain" };
    format!("{}-{}-{scales}", scheme.code().name(), scheme.blocksize())
}

/// The scheme that [`format_scheme`] wrote.
pub(super) fn parse_scheme(text: &str) -> Result<Scheme> {
    let unknown = || Error::CorruptModel(format!("unknown scheme {text:?}"));
    let [code, blocksize, scales] = text.split('-').collect::<Vec<_>>().try_into().map_err(|_| unknown())?;
    let code = Codebook::from_name(code).ok_or_else(unknown)?;
    let double = match scales {
        "double" => true,
        "plain" => false,
        _ => return Err(unknown()),
    };
    Scheme::new(code, blocksize.parse().map_err(|_| unknown())?, double)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: (&str, &[usize]) = ("language_model.model.shared.weight", &[51289, 768]);
    const CONVOLUTION: (&str, &[usize]) = ("vision_tower.convs.0.proj.weight", &[128, 3, 7, 7]);
    const LINEAR: (&str, &[usize]) = ("vision_tower.blocks.1.0.channel_block.ffn.fn.net.fc1.weight", &[1024, 256]);
    const PROJECTION: (&str, &[usize]) = ("image_projection", &[768, 1024]);
    const ENCODER: (&str, &[usize]) = ("language_model.model.encoder.layers.0.fc1.weight", &[3072, 768]);
    const DECODER: (&str, &[usize]) = ("language_model.model.decoder.layers.0.fc1.weight", &[3072, 768]);

    fn form(recipe: &str, (name, shape): (&str, &[usize])) -> String {
        recipe.parse::<Recipe>().unwrap().form(name, shape).to_string()
    }

    #[test]
    fn schemes_survive_their_text() {
        for code in [Codebook::Nf4, Codebook::Fp4, Codebook::Int4] {
            for (blocksize, double) in [(32, false), (64, true), (128, true)] {
                let scheme = Scheme::new(code, blocksize, double).unwrap();
                assert_eq!(parse_scheme(&format_scheme(scheme)).unwrap(), scheme);
            }
        }
        assert!(parse_scheme("nf4-64").is_err());
        assert!(parse_scheme("nf4-64-triple").is_err());
    }

    #[test]
    fn rules_survive_their_text() {
        for text in [
            "all=nf4-64-double",
            "all=nf4-64-double-fitted,embedding=int8,convolution=keep",
            "vision=int4-32-plain",
            "encoder=nf4-128-double,decoder=int8,vision_tower.blocks.0=int8,image_projection=keep",
        ] {
            let recipe: Recipe = text.parse().unwrap();
            assert_eq!((recipe.name(), recipe.rules().as_str()), (text, text));
            assert_eq!(recipe.rules().parse::<Recipe>().unwrap(), recipe);
        }
        for named in Recipe::all() {
            assert_eq!(named.name().parse::<Recipe>().unwrap(), named);
            assert_eq!(named.rules().parse::<Recipe>().unwrap().rules, named.rules);
        }
        assert_eq!(Recipe::balanced().rules(), "all=nf4-64-double,embedding=int8,convolution=keep");
    }

    #[test]
    fn what_is_no_recipe_says_why() {
        for (text, why) in [
            ("small", "compact, mixed, precise or balanced"),
            ("all=nf4-64-double,", "PLACE=FORM"),
            ("everything=int8", "no place"),
            ("Vision=int8", "no place"),
            ("image_projection.=int8", "no place"),
            ("vision_tower.block*=int8", "no place"),
            ("all=int4", "no form"),
            ("all=nf4-48-double", "power of two"),
            ("all=fp4-64-double", "use nf4"),
        ] {
            let error = text.parse::<Recipe>().unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{text}: {error:?}");
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_last_rule_that_holds_counts() {
        let recipe = "all=nf4-64-double,convolution=keep,embedding=int8,vision_tower.blocks.1=int8";
        assert_eq!(form(recipe, TOKENS), "int8");
        assert_eq!(form(recipe, CONVOLUTION), "keep");
        assert_eq!(form(recipe, LINEAR), "int8");
        assert_eq!(form(recipe, ENCODER), "nf4-64-double");
        assert_eq!(form("vision_tower.blocks.1=int8,all=nf4-64-double", LINEAR), "nf4-64-double");
        let longer = ("vision_tower.blocks.10.0.fc1.weight", &[8, 8][..]);
        assert_eq!(form("vision_tower.blocks.1=int8", longer), "keep", "10 is not below 1");
        assert_eq!(form("language_model.model.*.layers.*.fc1=int8", DECODER), "int8");
        assert_eq!(form("language_model.model.*.layers.*.fc2=int8", DECODER), "keep");
        assert_eq!(form("image_projection=int8", PROJECTION), "int8");
    }

    #[test]
    fn mixed_has_eight_bits_where_it_says() {
        let cross = "language_model.model.decoder.layers.5.encoder_attn";
        let eight = ["k_proj", "v_proj", "out_proj"].map(|layer| format!("{cross}.{layer}.weight"));
        for name in eight.iter().map(String::as_str).chain([PROJECTION.0, CONVOLUTION.0, LINEAR.0]) {
            let shape: &[usize] = if name == CONVOLUTION.0 { CONVOLUTION.1 } else { &[768, 768] };
            assert_eq!(form("mixed", (name, shape)), "int8", "{name}");
        }
        let query = format!("{cross}.q_proj.weight");
        let late = "vision_tower.blocks.2.0.spatial_block.window_attn.fn.qkv.weight";
        for name in [&query, late, TOKENS.0, ENCODER.0, DECODER.0] {
            assert_eq!(form("mixed", (name, &[768, 768])), "nf4-64-double", "{name}");
        }
    }

    #[test]
    fn precise_has_eight_bits_for_what_writes_the_caption() {
        let inner = "vision_tower.blocks.2.0.spatial_block.window_attn.fn.qkv.weight";
        for name in
            [TOKENS.0, DECODER.0, "language_model.model.decoder.layers.0.encoder_attn.q_proj.weight", CONVOLUTION.0]
        {
            let shape: &[usize] = if name == CONVOLUTION.0 { CONVOLUTION.1 } else { &[768, 768] };
            assert_eq!(form("precise", (name, shape)), "int8", "{name}");
        }
        for name in [ENCODER.0, inner] {
            assert_eq!(form("precise", (name, &[768, 768])), "nf4-64-double", "{name}");
        }
    }

    #[test]
    fn every_matrix_has_one_part() {
        for (part, inside) in [
            ("vision", vec![CONVOLUTION, LINEAR, PROJECTION]),
            ("encoder", vec![ENCODER]),
            ("decoder", vec![DECODER]),
            ("embedding", vec![TOKENS, ("language_model.model.encoder.embed_tokens.weight", &[9, 9])]),
        ] {
            for matrix in [TOKENS, CONVOLUTION, LINEAR, PROJECTION, ENCODER, DECODER] {
                let expected = if inside.contains(&matrix) { "int8" } else { "keep" };
                assert_eq!(form(&format!("{part}=int8"), matrix), expected, "{part} {}", matrix.0);
            }
            assert!(inside.iter().all(|matrix| form(&format!("{part}=int8"), *matrix) == "int8"), "{part}");
        }
        assert_eq!(form("convolution=int8", PROJECTION), "keep");
    }
}
