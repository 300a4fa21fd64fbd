//! The thread that talks to the network, so that the caller's thread can listen to its user.

use std::path::PathBuf;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::Client;
use super::job::Job;
use super::layout::Layout;
use super::{Message, Progress, Settings, Source, Stop};
use crate::error::{Error, Result};

const POLL: Duration = Duration::from_millis(50);
/// How long a stopped worker may take to clean up. Only a name lookup or a connection that nobody answers, which
/// cannot be cut short, takes longer; the thread then ends by itself after the connect timeout.
const GRACE: Duration = Duration::from_secs(1);

/// A download under way. Dropped before its end, it is stopped; its thread is gone then, but for the case of `GRACE`.
pub struct Download {
    inbox: Receiver<Message>,
    worker: Worker,
}

/// What [`Download::next`] waits for.
#[derive(Debug)]
pub enum Event {
    /// It goes on.
    Progress(Progress),
    /// It has ended: the folder of the snapshot.
    Done(PathBuf),
}

impl Download {
    pub(super) fn start(settings: &Settings, source: &Source, layout: Layout) -> Result<Self> {
        let wish = Stop::default();
        let client = Client::new(settings, wish.clone())?;
        let agent = client.agent();
        let (messages, inbox) = channel();
        let job =
            Job { settings: settings.clone(), source: source.clone(), layout, client, stop: wish.clone(), messages };
        let thread = std::thread::Builder::new().name("hub-download".into()).spawn(move || {
            let result = job.run();
            let _ = job.messages.send(Message::Done(result));
        });
        let thread = thread.map_err(|error| Error::Internal(format!("cannot start a thread to download: {error}")))?;
        Ok(Self { inbox, worker: Worker { stop: wish, agent: Some(agent), thread: Some(thread) } })
    }

    /// What was there before there was anything to do.
    pub(super) fn done(folder: PathBuf) -> Self {
        let (messages, inbox) = channel();
        let _ = messages.send(Message::Done(Ok(folder)));
        Self { inbox, worker: Worker { stop: Stop::default(), agent: None, thread: None } }
    }

    /// Waits for the next event; `stop` is asked every 50 ms or so.
    ///
    /// # Errors
    /// Those of [`super::Hub::fetch`]. `Interrupted` says that `stop` did so: the download goes on, and can be asked again.
    pub fn next(&mut self, stop: &dyn Fn() -> bool) -> Result<Event> {
        loop {
            if stop() {
                return Err(Error::Interrupted);
            }
            match self.inbox.recv_timeout(POLL) {
                Ok(Message::Progress(news)) => return Ok(Event::Progress(news)),
                Ok(Message::Done(result)) => {
                    self.worker.join();
                    return result.map(Event::Done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Internal("the download panicked".into())),
            }
        }
    }
}

struct Worker {
    stop: Stop,
    agent: Option<ureq::Agent>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The worker is told to stop and given the time to clean up.
impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(agent) = self.agent.take() {
            agent.shutdown();
        }
        let end = Instant::now() + GRACE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.join();
    }
}
