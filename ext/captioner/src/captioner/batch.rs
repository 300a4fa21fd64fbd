//! Several captions at once, for those who have many images.
//!
//! ```text
//! thread 1   image 1 through tower and encoder, then image 3 ...  |  the words of all images, together on
//! thread 2   image 2 through tower and encoder, then image 4 ...  |  all threads: weights are read once for all
//! ```
//!
//! An image that has a thread to itself waits for nobody at the end of each part of a layer; a thread without an image helps the
//! others, as the threads of a pool do. Every caption is bit for bit what it is alone.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rayon::ThreadPool;

use super::caption::SLICE;
use super::{Caption, Captioner, Input, Seconds};
use crate::error::panic_reason;
use crate::generate::Writing;
use crate::image::Limits;
use crate::models::{Phase, Request};
use crate::runtime::lead;
use crate::{Error, Result};

/// At least so many images are encoded side by side, of larger batches half of them. Each takes its activations' memory.
const SIDE_BY_SIDE: usize = 2;

/// Captions in the making, of images of which the same is asked. They can be stopped and go on like a [`Caption`].
pub struct Batch {
    members: Vec<Member>,
    /// The members whose images are being encoded: each has a thread that it stays with, whose memory it uses.
    lanes: Vec<Option<usize>>,
}

struct Member {
    caption: Caption,
    failure: Option<Error>,
}

/// A caption, as it was made among others.
#[derive(Debug, Clone, PartialEq)]
pub struct Captioned {
    pub text: String,
    pub ids: Vec<u32>,
    /// The time of what was done for all is shared out to them.
    pub seconds: Seconds,
}

impl Batch {
    /// Nothing is read before [`Batch::advance`]. Errors as for [`Caption::new`].
    pub fn new(captioner: &Arc<Captioner>, images: Vec<(Input, Limits)>, request: &Request) -> Result<Self> {
        let member = |(input, limits)| {
            let caption = Caption::new(captioner.clone(), input, limits, request.clone())?;
            Ok(Member { caption, failure: None })
        };
        let members = images.into_iter().map(member).collect::<Result<Vec<_>>>()?;
        let lanes = vec![None; (members.len() / 2).max(SIDE_BY_SIDE).min(members.len())];
        Ok(Self { members, lanes })
    }

    /// Works on `pool` until each caption is there or has failed, or `stop` is set; in the latter case the error is `Interrupted`
    /// and the next call goes on. Any other error is that of the whole batch, which is lost.
    ///
    /// The pool gets about as much work at a time as of a single caption.
    pub fn advance(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<()> {
        while self.assign(pool.current_num_threads()) {
            self.encode(pool, stop)?;
        }
        while self.members.iter().any(Member::is_writing) {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            lead(pool, || self.write(stop))?;
        }
        Ok(())
    }

    /// What became of each image, in their order; `Interrupted` for what is not done yet.
    pub fn results(self) -> Vec<Result<Captioned>> {
        let result = |Member { caption, failure }| match failure {
            Some(error) => Err(error),
            None if !caption.is_done() => Err(Error::Interrupted),
            None => Ok(Captioned {
                text: caption.captioner.model.text(caption.ids()),
                ids: caption.ids().to_vec(),
                seconds: caption.seconds().clone(),
            }),
        };
        self.members.into_iter().map(result).collect()
    }

    /// Gives each free lane of at most `threads` an image; is there any to be encoded?
    fn assign(&mut self, threads: usize) -> bool {
        let Self { members, lanes } = self;
        // The pool may have had more threads before.
        lanes.iter_mut().skip(threads).for_each(|lane| *lane = None);
        for at in 0..lanes.len().min(threads) {
            if lanes[at].is_some_and(|member| members[member].is_waiting()) {
                continue;
            }
            lanes[at] = None;
            lanes[at] = (0..members.len()).find(|i| members[*i].is_waiting() && !lanes.contains(&Some(*i)));
        }
        lanes.iter().any(Option::is_some)
    }

    /// Reads the files of images that are new in their lanes, on this thread; then a slice of time of each lane, on a thread of its own.
    fn encode(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<()> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        for member in self.lanes.iter().flatten() {
            let member = &mut self.members[*member];
            match member.caption.read(stop) {
                Ok(()) => {}
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => member.failure = Some(error),
            }
        }
        let lane = |member: &usize| self.lanes.iter().position(|lane| *lane == Some(*member));
        let mut own: Vec<Option<&mut Member>> = self.lanes.iter().map(|_| None).collect();
        for (i, member) in self.members.iter_mut().enumerate() {
            if let Some(lane) = lane(&i).filter(|_| member.is_waiting()) {
                own[lane] = Some(member);
            }
        }
        if own.iter().all(Option::is_none) {
            return Ok(());
        }
        let own: Vec<_> = own.into_iter().map(Mutex::new).collect();
        pool.broadcast(|context| {
            let own = own.get(context.index())?;
            let member = own.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            // A defect that one image brings to light is no other's.
            match catch_unwind(AssertUnwindSafe(|| member.caption.encode(stop))) {
                Ok(Ok(()) | Err(Error::Interrupted)) => {}
                Ok(Err(error)) => member.failure = Some(error),
                Err(panic) => member.failure = Some(Error::Internal(panic_reason(&*panic).into())),
            }
            Some(())
        });
        Ok(())
    }

    /// Tokens of all captions that have not ended, for a slice of time. Those of models that gain nothing from company are made
    /// one caption after the other, with a look at `stop` in between.
    fn write(&mut self, stop: &AtomicBool) -> Result<()> {
        let slice = Instant::now();
        while slice.elapsed() < SLICE && !stop.load(Ordering::Relaxed) {
            let mut own: Vec<&mut Member> = self.members.iter_mut().filter(|member| member.is_writing()).collect();
            for member in &mut own {
                member.failure = member.caption.writing().err();
            }
            own.retain(|member| member.failure.is_none());
            let Some(first) = own.first() else { break };
            let together = if first.caption.captioner.model.batch_size() > 1 { own.len() } else { 1 };
            for part in own.chunks_mut(together) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let started = Instant::now();
                let writings = part.iter_mut().map(|member| member.caption.writing());
                Writing::step_all(writings.collect::<Result<_>>()?)?;
                let share = started.elapsed().as_secs_f64() / part.len() as f64;
                part.iter_mut().for_each(|member| member.caption.spent(Phase::Decoder, share));
            }
        }
        Ok(())
    }
}

impl Member {
    /// Is the image to be encoded?
    fn is_waiting(&self) -> bool {
        self.failure.is_none() && !self.caption.is_encoded()
    }

    /// Is the image encoded, and its caption not there yet?
    fn is_writing(&self) -> bool {
        self.failure.is_none() && self.caption.is_encoded() && !self.caption.is_done()
    }
}
