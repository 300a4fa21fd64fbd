//! The core's errors as Ruby's. The classes are defined in Ruby, before this library is loaded.

use captioner::Error;
use magnus::error::ErrorType;
use magnus::{prelude::*, ExceptionClass, RModule, Ruby, Value};

/// The Ruby exception for an error of the core.
pub fn to_ruby(ruby: &Ruby, error: &Error) -> magnus::Error {
    let class = match error {
        Error::UnsupportedModel(_) => "UnsupportedModelError",
        Error::ModelUnavailable(_) => "ModelUnavailableError",
        Error::CorruptModel(_) => "CorruptModelError",
        Error::UnreadableImage(_) => "UnreadableImageError",
        Error::ImageTooLarge(_) => "ImageTooLargeError",
        Error::Download(_) => "DownloadError",
        Error::Internal(_) => "InternalError",
        Error::NotFound(path) => return not_found(ruby, &path.display().to_string()),
        Error::InvalidArgument(what) => return magnus::Error::new(ruby.exception_arg_error(), what.clone()),
        Error::Interrupted => return magnus::Error::new(ruby.exception_interrupt(), "interrupted"),
    };
    match own_class(ruby, class) {
        Ok(class) => magnus::Error::new(class, error.to_string()),
        Err(missing) => missing,
    }
}

/// The exception itself, which is not raised.
pub fn exception(ruby: &Ruby, error: magnus::Error) -> Result<Value, magnus::Error> {
    match error.error_type() {
        ErrorType::Error(class, message) => Ok(class.new_instance((message.as_ref(),))?.as_value()),
        ErrorType::Exception(exception) => Ok(exception.as_value()),
        ErrorType::Jump(_) => Err(magnus::Error::new(ruby.exception_runtime_error(), "interrupted")),
    }
}

fn own_class(ruby: &Ruby, name: &str) -> Result<ExceptionClass, magnus::Error> {
    let module: RModule = ruby.class_object().const_get("MemeCaptioner")?;
    module.const_get(name)
}

/// `Errno::ENOENT`, whose own prefix is "No such file or directory".
fn not_found(ruby: &Ruby, path: &str) -> magnus::Error {
    let class = ruby.class_object().const_get::<_, RModule>("Errno").and_then(|errno| errno.const_get("ENOENT"));
    match class.and_then(|class: ExceptionClass| class.new_instance((path,))) {
        Ok(exception) => magnus::Error::from(exception),
        Err(error) => error,
    }
}
