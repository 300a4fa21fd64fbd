//! What this library was built for: a Ruby whose binary interface its headers describe, and the Ruby files of one version.
//! Anything else is refused before a class is defined; it would crash, or seem to work.

use magnus::{Error, Ruby};

/// Ruby's interface changes with its minor version.
const RUBY: (u32, u32) = (rb_sys::RUBY_API_VERSION_MAJOR, rb_sys::RUBY_API_VERSION_MINOR);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// # Errors
/// `LoadError` in another Ruby, or beside the Ruby files of another version.
pub fn check(ruby: &Ruby) -> Result<(), Error> {
    // SAFETY: a constant of libruby, with these three numbers in every version.
    let [major, minor, _] = unsafe { rb_sys::ruby_api_version };
    let running = (major.unsigned_abs(), minor.unsigned_abs());
    // First of all, because in another Ruby not even a string can be read: its objects are laid out differently.
    if running != RUBY {
        return Err(refusal(
            ruby,
            &format!("Ruby {}.{}", RUBY.0, RUBY.1),
            &format!("Ruby {}.{}", running.0, running.1),
        ));
    }
    let files: String = ruby.eval("MemeCaptioner::VERSION")?;
    if files != VERSION {
        return Err(refusal(ruby, &format!("version {VERSION}"), &format!("version {files}")));
    }
    Ok(())
}

fn refusal(ruby: &Ruby, built: &str, here: &str) -> Error {
    let message = format!(
        "the compiled library of meme_captioner is for {built}, but this is {here}. In a checkout run `rake compile`; of an \
         installed gem run `gem pristine meme_captioner`."
    );
    Error::new(ruby.exception_load_error(), message)
}
