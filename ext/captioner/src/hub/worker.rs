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

/// Runs the job to its end, or until `stop` says so. The thread is gone when this returns, but for the case of `GRACE`.
pub(super) fn run(
    settings: &Settings,
    source: &Source,
    layout: Layout,
    progress: &mut dyn FnMut(&Progress),
    stop: &dyn Fn() -> bool,
) -> Result<PathBuf> {
    let wish = Stop::default();
    let client = Client::new(settings, wish.clone())?;
    let agent = client.agent();
    let (messages, inbox) = channel();
    let job = Job { settings: settings.clone(), source: source.clone(), layout, client, stop: wish.clone(), messages };
    let thread = std::thread::Builder::new().name("hub-download".into()).spawn(move || {
        let result = job.run();
        let _ = job.messages.send(Message::Done(result));
    });
    let thread = thread.map_err(|error| Error::Internal(format!("cannot start a thread to download: {error}")))?;
    let worker = Worker { stop: wish, agent: Some(agent), thread: Some(thread) };
    worker.listen(&inbox, progress, stop)
}

struct Worker {
    stop: Stop,
    agent: Option<ureq::Agent>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn listen(
        mut self,
        inbox: &Receiver<Message>,
        progress: &mut dyn FnMut(&Progress),
        stop: &dyn Fn() -> bool,
    ) -> Result<PathBuf> {
        loop {
            match inbox.recv_timeout(POLL) {
                Ok(Message::Progress(news)) => progress(&news),
                Ok(Message::Done(result)) => {
                    self.join();
                    return result;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Internal("the download panicked".into())),
            }
            if stop() {
                return Err(Error::Interrupted);
            }
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Also when `progress` or `stop` panics: the worker is told to stop and given the time to clean up.
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
