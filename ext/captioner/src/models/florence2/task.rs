//! What the model can be asked.

use crate::Error;

/// A task, named as in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Caption,
    DetailedCaption,
    MoreDetailedCaption,
    Ocr,
}

impl Task {
    /// Every task, in the order in which messages list them.
    pub const ALL: [Task; 4] = [Task::Caption, Task::DetailedCaption, Task::MoreDetailedCaption, Task::Ocr];

    /// The task's token.
    pub fn name(self) -> &'static str {
        match self {
            Task::Caption => "<CAPTION>",
            Task::DetailedCaption => "<DETAILED_CAPTION>",
            Task::MoreDetailedCaption => "<MORE_DETAILED_CAPTION>",
            Task::Ocr => "<OCR>",
        }
    }

    /// The question that stands for it.
    pub(super) fn prompt(self) -> &'static str {
        match self {
            Task::Caption => "What does the image describe?",
            Task::DetailedCaption => "Describe in detail what is shown in the image.",
            Task::MoreDetailedCaption => "Describe with a paragraph what is shown in the image.",
            Task::Ocr => "What is the text in the image?",
        }
    }
}

impl std::str::FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Task::ALL.into_iter().find(|task| task.name() == name).ok_or_else(|| {
            let known = Task::ALL.map(Task::name).join(", ");
            Error::InvalidArgument(format!("unknown task {name:?}; one of {known}"))
        })
    }
}
