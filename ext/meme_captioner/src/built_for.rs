//! What this library was built for: a Ruby whose binary interface its headers describe, and the Ruby files of one version.
//! Anything else is refused before a class is defined; it would crash, or seem to work.

use magnus::{prelude::*, Error, Ruby};

/// Ruby's interface changes with its minor version.
const RUBY: (u32, u32) = (rb_sys::RUBY_API_VERSION_MAJOR, rb_sys::RUBY_API_VERSION_MINOR);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// # Errors
/// `LoadError` in another Ruby, or beside the Ruby files of another version.
pub fn check(ruby: &Ruby) -> Result<(), Error> {
    // SAFETY: a constant of libruby, with these three numbers in every version.
    let [major, minor, _] = unsafe { rb_sys::ruby_api_version };
    let files: String = ruby.eval("MemeCaptioner::VERSION")?;
    match refusal((major.unsigned_abs(), minor.unsigned_abs()), &files) {
        Some(reason) => Err(Error::new(ruby.class_object().const_get("LoadError")?, reason)),
        None => Ok(()),
    }
}

/// Why the library is not for Ruby `ruby` and the Ruby files of version `files`, or `None` where it is.
fn refusal(ruby: (u32, u32), files: &str) -> Option<String> {
    let built = (RUBY, VERSION);
    (built != (ruby, files)).then(|| {
        format!(
            "the compiled library of meme_captioner is of version {VERSION} for Ruby {}.{}, but this is Ruby {}.{} and its Ruby \
             files are of version {files}. In a checkout run `rake compile`; of an installed gem run `gem pristine meme_captioner`.",
            RUBY.0, RUBY.1, ruby.0, ruby.1
        )
    })
}
