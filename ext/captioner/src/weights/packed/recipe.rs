//! Recipes: which matrix is stored in which form.
//!
//! A recipe is a list of rules `PLACE=FORM`; of those that hold for a matrix the last one counts, and without any it stays as
//! the checkpoint has it. Norms, biases and depthwise kernels always do.
//!
//! ```text
//! recipe  rule,rule,...
//! rule    PLACE=FORM
//! PLACE   all           every matrix
//!         vision        the vision tower, and what joins it to the language model
//!         encoder       the text encoder
//!         decoder       the text decoder, without the output layer
//!         embedding     the token table, which may be the output layer too
//!         head          the output layer where it has a matrix of its own
//!         convolution   patch convolutions
//!         a.b.*.c       what begins so, in canonical names, * being any one part: vision_tower.blocks.0
//! FORM    keep          as the checkpoint has it
//!         int8          int8 rows
//!         nf4-64-double            4-bit blocks: code, values a block, plain or double-quantized scales
//!         nf4-64-double-fitted     the same with scales that make the squared error smallest
//! ```

use std::fmt;
use std::str::FromStr;

use crate::quant::{Codebook, Fit, Scheme};
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

/// What a matrix does in its network. Families say it of their canonical names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The vision tower, and what joins it to the language model.
    Vision,
    /// The text encoder's linears and positions.
    Encoder,
    /// The text decoder's linears and positions.
    Decoder,
    /// The token table, which may be the output layer too.
    Embedding,
    /// The output layer where it has a matrix of its own.
    Head,
}

/// The matrices that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Every matrix.
    All,
    /// Those of a part.
    Part(Part),
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

const PLACES: [(&str, Place); 7] = [
    ("all", Place::All),
    ("vision", Place::Part(Part::Vision)),
    ("encoder", Place::Part(Part::Encoder)),
    ("decoder", Place::Part(Part::Decoder)),
    ("embedding", Place::Part(Part::Embedding)),
    ("head", Place::Part(Part::Head)),
    ("convolution", Place::Convolution),
];

impl Place {
    /// Does the matrix `name` of `shape`, which does the work of `part`, belong here?
    fn holds(&self, name: &str, shape: &[usize], part: Option<Part>) -> bool {
        match self {
            Place::All => true,
            Place::Part(own) => part == Some(*own),
            Place::Convolution => shape.len() == 4,
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
    /// Everything stays as the checkpoint has it. Not to be chosen: it is for checkpoints that are quantized already.
    pub fn kept() -> Self {
        Self { name: "kept".into(), rules: Vec::new() }
    }

    /// The same rules under a name.
    pub fn called(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
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

    /// The form of the matrix `name` of `shape`, which does the work of `part`.
    pub fn form(&self, name: &str, shape: &[usize], part: Option<Part>) -> Form {
        let rule = self.rules.iter().rev().find(|(place, _)| place.holds(name, shape, part));
        rule.map_or(Form::Kept, |(_, form)| *form)
    }
}

/// Rules. Names are the families' own.
impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::InvalidArgument(format!("{text:?} is no recipe: PLACE=FORM,PLACE=FORM,..."));
        let rules = text.split(',').map(|rule| {
            let (place, form) = rule.split_once('=').ok_or_else(wrong)?;
            Ok((place.parse()?, form.parse()?))
        });
        let recipe = Self { name: String::new(), rules: rules.collect::<Result<_>>()? };
        let name = recipe.rules();
        Ok(recipe.called(&name))
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

    const TOKENS: (&str, &[usize]) = ("text.tokens.weight", &[51289, 768]);
    const CONVOLUTION: (&str, &[usize]) = ("tower.patches.weight", &[128, 3, 7, 7]);
    const LINEAR: (&str, &[usize]) = ("tower.blocks.1.0.fc1.weight", &[1024, 256]);
    const ENCODER: (&str, &[usize]) = ("text.encoder.layers.0.fc1.weight", &[3072, 768]);
    const DECODER: (&str, &[usize]) = ("text.decoder.layers.0.fc1.weight", &[3072, 768]);
    const HEAD: (&str, &[usize]) = ("text.head.weight", &[51289, 768]);

    fn part(name: &str) -> Option<Part> {
        Some(match name.split('.').nth(1)? {
            "encoder" => Part::Encoder,
            "decoder" => Part::Decoder,
            "tokens" => Part::Embedding,
            "head" => Part::Head,
            _ => Part::Vision,
        })
    }

    fn form(recipe: &str, (name, shape): (&str, &[usize])) -> String {
        recipe.parse::<Recipe>().unwrap().form(name, shape, part(name)).to_string()
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
            "encoder=nf4-128-double,decoder=int8,head=keep,tower.blocks.0=int8,image_projection=keep",
        ] {
            let recipe: Recipe = text.parse().unwrap();
            assert_eq!((recipe.name(), recipe.rules().as_str()), (text, text));
            assert_eq!(recipe.rules().parse::<Recipe>().unwrap(), recipe);
            assert_eq!(recipe.clone().called("mine").rules(), text);
        }
    }

    #[test]
    fn what_is_no_recipe_says_why() {
        for (text, why) in [
            ("small", "PLACE=FORM"),
            ("all=nf4-64-double,", "PLACE=FORM"),
            ("everything=int8", "no place"),
            ("Vision=int8", "no place"),
            ("image_projection.=int8", "no place"),
            ("tower.block*=int8", "no place"),
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
        let recipe = "all=nf4-64-double,convolution=keep,embedding=int8,tower.blocks.1=int8";
        assert_eq!(form(recipe, TOKENS), "int8");
        assert_eq!(form(recipe, CONVOLUTION), "keep");
        assert_eq!(form(recipe, LINEAR), "int8");
        assert_eq!(form(recipe, ENCODER), "nf4-64-double");
        assert_eq!(form("tower.blocks.1=int8,all=nf4-64-double", LINEAR), "nf4-64-double");
        let longer = ("tower.blocks.10.0.fc1.weight", &[8, 8][..]);
        assert_eq!(form("tower.blocks.1=int8", longer), "keep", "10 is not below 1");
        assert_eq!(form("text.*.layers.*.fc1=int8", DECODER), "int8");
        assert_eq!(form("text.*.layers.*.fc2=int8", DECODER), "keep");
    }

    #[test]
    fn every_matrix_has_one_part() {
        for (part, inside) in [
            ("vision", vec![CONVOLUTION, LINEAR]),
            ("encoder", vec![ENCODER]),
            ("decoder", vec![DECODER]),
            ("embedding", vec![TOKENS]),
            ("head", vec![HEAD]),
        ] {
            for matrix in [TOKENS, CONVOLUTION, LINEAR, ENCODER, DECODER, HEAD] {
                let expected = if inside.contains(&matrix) { "int8" } else { "keep" };
                assert_eq!(form(&format!("{part}=int8"), matrix), expected, "{part} {}", matrix.0);
            }
        }
        assert_eq!(form("convolution=int8", LINEAR), "keep");
    }
}
