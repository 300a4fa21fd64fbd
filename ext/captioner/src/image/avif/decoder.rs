//! AV1 data to planes, by rav1d: one thread, buffers of our own, and no frame larger than it should be.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dSettings};
use rav1d::include::dav1d::headers::{DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422};
use rav1d::include::dav1d::picture::{Dav1dPicAllocator, Dav1dPicture};
use rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_flush, dav1d_get_picture,
    dav1d_open, dav1d_picture_unref, dav1d_send_data,
};
use rav1d::src::send_sync_non_null::SendSyncNonNull;
use rav1d::Dav1dResult;

use super::super::limits::Failure;
use super::super::memory;
use super::planes::{Planes, Subsampling};
use super::properties::Description;

/// Samples that a frame costs beside its own, because of what is done for each.
const SAMPLES_BESIDE: usize = 1 << 13;

/// What the decoder allocates for itself: bytes for each pixel of a frame, and beside that.
const BYTES_A_PIXEL: usize = 3;
const BYTES_BESIDE: usize = 8 << 20;

/// The buffers of a decoder's pictures, which outlive it where it never ends.
#[derive(Clone)]
pub(super) struct Buffers(Arc<Mutex<Held>>);

struct Held {
    planes: Vec<Planes>,
    /// Samples that may still be decoded.
    budget: usize,
    /// Why the decoder got no buffer.
    refused: Option<Failure>,
}

impl Buffers {
    /// Buffers of all frames together for so many samples.
    pub(super) fn new(budget: usize) -> Self {
        Buffers(Arc::new(Mutex::new(Held { planes: Vec::new(), budget, refused: None })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses all that are asked for from now on, so that the decoder comes to its end.
    pub(super) fn refuse(&self) {
        self.held().budget = 0;
    }

    /// Frees them all, which only someone may do who knows that the decoder does not run.
    pub(super) fn clear(&self) {
        self.held().planes.clear();
    }
}

impl Held {
    /// New planes, which count.
    fn planes(&mut self, size: (usize, usize), depth: u32, subsampling: Subsampling) -> Result<Planes, Failure> {
        let chroma =
            subsampling.map_or(0, |(across, down)| 2 * size.0.div_ceil(1 << across) * size.1.div_ceil(1 << down));
        let samples = size.0 * size.1 + chroma + SAMPLES_BESIDE;
        self.budget = self.budget.checked_sub(samples).ok_or_else(|| {
            Failure::unreadable("it asks for far more work than its bytes bear out, which no picture does")
        })?;
        let planes = Planes::new(size, depth, subsampling)?;
        // What the decoder allocates for the frame next, which cannot fail.
        memory::probe((size.0 * size.1).saturating_mul(BYTES_A_PIXEL).saturating_add(BYTES_BESIDE))?;
        Ok(planes)
    }
}

/// One decoder. It is used and dropped in the thread that `guard` watches over.
pub(super) struct Decoder {
    context: Option<Dav1dContext>,
    buffers: Buffers,
}

impl Decoder {
    /// A decoder of frames of no more than so many pixels.
    pub(super) fn new(buffers: Buffers, most_pixels: u32, operating_point: u8) -> Result<Self, Failure> {
        memory::probe(BYTES_BESIDE)?;
        let mut settings = std::mem::MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: the settings are written before they are taken.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0;
        settings.operating_point = operating_point.into();
        settings.frame_size_limit = most_pixels;
        // SAFETY: zeros are a logger without a function, which is not called. The type cannot be named from here.
        unsafe { NonNull::from(&mut settings.logger).write_bytes(0, 1) };
        settings.allocator = Dav1dPicAllocator {
            // The decoder keeps a share of the buffers, so the address is valid for as long as it is used.
            cookie: Some(SendSyncNonNull::from_ref(&*buffers.0).cast()),
            alloc_picture_callback: Some(allocate),
            release_picture_callback: Some(release),
        };
        let mut decoder = Decoder { context: None, buffers };
        // SAFETY: both are valid, and the context is closed in `drop`.
        let result =
            unsafe { dav1d_open(Some(NonNull::from(&mut decoder.context)), Some(NonNull::from(&mut settings))) };
        decoder.succeeded(result)?;
        Ok(decoder)
    }

    /// Decodes the first picture that is shown in `data`, and hands it to `look`, with the colours that the data tells.
    pub(super) fn decode<T>(
        &mut self,
        data: &[u8],
        look: impl FnOnce(&Planes, Description) -> T,
    ) -> Result<T, Failure> {
        if let Some(context) = self.context {
            // What is left of other data would be taken for a picture of this.
            // SAFETY: the context is open.
            unsafe { dav1d_flush(context) };
        }
        let mut packet = Packet(Dav1dData::default());
        packet.fill(data)?;
        let mut picture = Picture(Dav1dPicture::default());
        let again = Dav1dResult(-libc::EAGAIN);
        loop {
            let fed = packet.0.sz > 0;
            if fed {
                // SAFETY: the context is open and the packet was made by the decoder.
                let sent = unsafe { dav1d_send_data(self.context, Some(NonNull::from(&mut packet.0))) };
                if sent != again {
                    self.succeeded(sent)?;
                }
            }
            // SAFETY: the context is open and the picture is empty.
            let got = unsafe { dav1d_get_picture(self.context, Some(NonNull::from(&mut picture.0))) };
            if got == again {
                if fed {
                    continue;
                }
                return Err(Failure::unreadable("its data holds no picture"));
            }
            self.succeeded(got)?;
            break;
        }
        let header = picture.0.seq_hdr.ok_or_else(|| Failure::unreadable("its data has no header"))?;
        // SAFETY: the picture holds a share of its header.
        let header = unsafe { header.as_ref() };
        let description =
            Description { primaries: header.pri, matrix: header.mtrx, full_range: header.color_range != 0 };
        let held = self.buffers.held();
        let start = picture.0.data[0].map(|data| data.as_ptr().cast_const().cast());
        let planes = held.planes.iter().find(|planes| planes.base() == start);
        let planes = planes.ok_or_else(|| Failure::unreadable("its picture is nowhere"))?;
        Ok(look(planes, description))
    }

    fn succeeded(&self, result: Dav1dResult) -> Result<(), Failure> {
        match -result.0 {
            ..=0 => Ok(()),
            libc::ENOMEM => {
                let refused = self.buffers.held().refused.take();
                Err(refused.unwrap_or_else(|| memory::refused(BYTES_BESIDE).into()))
            }
            libc::ERANGE => Err(Failure::unreadable("its frame is larger than it says")),
            libc::ENOPROTOOPT => Err(Failure::unreadable("a part of AV1 that it uses is not supported")),
            _ => Err(Failure::unreadable("its data is damaged or cut off")),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: a context that is there is open.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.context))) };
    }
}

/// Data on its way to the decoder.
struct Packet(Dav1dData);

impl Packet {
    fn fill(&mut self, data: &[u8]) -> Result<(), Failure> {
        if data.is_empty() {
            return Err(Failure::truncated());
        }
        // SAFETY: the packet is empty, and where memory comes back there is room for so many bytes.
        unsafe {
            let memory = dav1d_data_create(Some(NonNull::from(&mut self.0)), data.len());
            let memory = NonNull::new(memory).ok_or_else(|| memory::refused(data.len()))?;
            memory.copy_from_nonoverlapping(NonNull::from(data).cast(), data.len());
        }
        Ok(())
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: it is empty or was made by the decoder.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// A share in a picture of the decoder's.
struct Picture(Dav1dPicture);

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: it is empty or was given by the decoder.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// Gives the decoder the planes of a picture.
///
/// # Safety
///
/// The picture is valid, and the cookie is that of [`Decoder::new`].
unsafe extern "C" fn allocate(picture: *mut Dav1dPicture, cookie: Option<SendSyncNonNull<c_void>>) -> Dav1dResult {
    let invalid = Dav1dResult(-libc::EINVAL);
    let Some(cookie) = cookie else { return invalid };
    // SAFETY: as the caller promises.
    let (picture, held) = unsafe { (&mut *picture, &*cookie.cast::<Mutex<Held>>().as_ptr().as_ptr()) };
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    let subsampling: Subsampling = match picture.p.layout {
        DAV1D_PIXEL_LAYOUT_I400 => None,
        DAV1D_PIXEL_LAYOUT_I420 => Some((1, 1)),
        DAV1D_PIXEL_LAYOUT_I422 => Some((1, 0)),
        _ => Some((0, 0)),
    };
    let (Ok(width), Ok(height)) = (usize::try_from(picture.p.w), usize::try_from(picture.p.h)) else { return invalid };
    match held.planes((width, height), picture.p.bpc as u32, subsampling) {
        Ok(mut planes) => {
            picture.data = [0, 1, 2].map(|plane| planes.pointer(plane).map(NonNull::cast::<c_void>));
            picture.stride = [planes.stride(0) as isize, planes.stride(1) as isize];
            held.planes.push(planes);
            Dav1dResult(0)
        }
        Err(refused) => {
            held.refused = Some(refused);
            Dav1dResult(-libc::ENOMEM)
        }
    }
}

/// Takes the planes of a picture back.
///
/// # Safety
///
/// The picture is one that [`allocate`] filled, and the cookie is that of [`Decoder::new`].
unsafe extern "C" fn release(picture: *mut Dav1dPicture, cookie: Option<SendSyncNonNull<c_void>>) {
    let Some(cookie) = cookie else { return };
    // SAFETY: as the caller promises.
    let (picture, held) = unsafe { (&*picture, &*cookie.cast::<Mutex<Held>>().as_ptr().as_ptr()) };
    let start = picture.data[0].map(|data| data.as_ptr().cast_const().cast());
    held.lock().unwrap_or_else(PoisonError::into_inner).planes.retain(|planes| planes.base() != start);
}
