//! The first frame of a GIF on its canvas, as Pillow shows it (GifImagePlugin.py, libImaging/GifDecode.c), and the later
//! ones.

use super::context::Context;
use super::frames::{Canvas, Frames, Place};
use super::ground::Ground;
use super::limits::Failure;
use super::{memory, RgbImage};

mod blocks;
mod lzw;

use blocks::{Frame, Palette, Reader};

pub(super) fn decode(bytes: &[u8], context: &Context<'_>, ground: &mut Ground) -> Result<RgbImage, Failure> {
    let mut input = Reader::new(bytes);
    let first = First::read(&mut input, context)?;
    let (width, height) = first.size;
    let indices = first.indices(input, context)?;
    let mut used = [false; 256];
    let mut colours = [[0; 3]; 256];
    for (index, colour) in colours.iter_mut().enumerate() {
        *colour = ground.under(first.colour(index as u8));
    }
    let mut data = memory::room(indices.len() * 3)?;
    for &index in &indices {
        used[usize::from(index)] = true;
        data.extend_from_slice(&colours[usize::from(index)]);
    }
    (0..=255).filter(|&index| used[usize::from(index)]).for_each(|index| ground.see(first.colour(index)));
    Ok(RgbImage { width: width as u32, height: height as u32, data })
}

/// The first frame, and the canvas it makes.
struct First {
    frame: Frame,
    size: (usize, usize),
    /// The palette of frames without their own.
    shared: Palette,
}

impl First {
    /// Leaves the reader at the compressed pixels.
    fn read(input: &mut Reader<'_>, context: &Context<'_>) -> Result<Self, Failure> {
        let (width, height) = (input.u16()?, input.u16()?);
        context.check(width.max(1) as u64, height.max(1) as u64)?;
        let flags = input.take(3)?[0];
        let shared = if flags & 0x80 != 0 { blocks::palette(input.take(6 << (flags & 7))?) } else { blocks::grey() };
        let frame = input.frame()?.ok_or_else(|| Failure::unreadable("it holds no picture"))?;
        // A frame that reaches beyond the screen enlarges it.
        let size = (width.max(frame.left + frame.width), height.max(frame.top + frame.height));
        context.check(size.0 as u64, size.1 as u64)?;
        if frame.width == 0 || frame.height == 0 {
            return Err(Failure::unreadable("its first frame is empty"));
        }
        Ok(First { frame, size, shared })
    }

    /// The palette index of every pixel of the canvas.
    fn indices(&self, input: Reader<'_>, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
        let (width, height) = self.size;
        let mut canvas = memory::filled(self.frame.transparent.unwrap_or(0), width * height)?;
        lzw::unpack(input, &self.frame, &mut canvas, width, context)?;
        Ok(canvas)
    }

    fn colour(&self, index: u8) -> [u8; 4] {
        colour(&self.frame, &self.shared, index)
    }
}

/// RGBA of an index of a frame.
fn colour(frame: &Frame, shared: &Palette, index: u8) -> [u8; 4] {
    let [r, g, b] = frame.palette.as_ref().unwrap_or(shared)[usize::from(index)];
    [r, g, b, if frame.transparent == Some(index) { 0 } else { 255 }]
}

/// The frames of a GIF and the size of its canvas; None if there is only one.
pub(super) fn frames<'a>(
    bytes: &'a [u8],
    context: &Context<'_>,
) -> Result<Option<(impl Frames + 'a, (usize, usize))>, Failure> {
    let mut input = Reader::new(bytes);
    let first = First::read(&mut input, context)?;
    let mut after = input;
    if after.pass().is_err() || !matches!(after.frame(), Ok(Some(_))) {
        return Ok(None);
    }
    let size = first.size;
    Ok(Some((Animation { input, first: Some(first), shared: None, disposal: None }, size)))
}

struct Animation<'a> {
    /// At the compressed pixels of the first frame, later at the end of the frame before.
    input: Reader<'a>,
    first: Option<First>,
    shared: Option<Palette>,
    /// What is done to the canvas before the next frame.
    disposal: Option<Disposal>,
}

enum Disposal {
    Clear(Place),
    Restore(Vec<u8>),
}

impl Animation<'_> {
    fn draw_first(&mut self, first: First, canvas: &mut Canvas, context: &Context<'_>) -> Result<(), Failure> {
        let indices = first.indices(self.input, context)?;
        for (pixel, &index) in canvas.data.chunks_exact_mut(4).zip(&indices) {
            pixel.copy_from_slice(&first.colour(index));
        }
        self.input.pass()?;
        let Frame { left: x, top: y, width, height, .. } = first.frame;
        // There was nothing before it that could come back.
        if first.frame.disposal == 2 || first.frame.disposal == 3 {
            self.disposal = Some(Disposal::Clear(Place { x, y, width, height }));
        }
        self.shared = Some(first.shared);
        Ok(())
    }
}

impl Frames for Animation<'_> {
    fn draw(&mut self, canvas: &mut Canvas, context: &Context<'_>) -> Result<bool, Failure> {
        if let Some(first) = self.first.take() {
            self.draw_first(first, canvas, context)?;
            return Ok(true);
        }
        let Some(mut frame) = self.input.frame()? else { return Ok(false) };
        match self.disposal.take() {
            Some(Disposal::Clear(place)) => canvas.clear(place),
            Some(Disposal::Restore(data)) => canvas.data = data,
            None => {}
        }
        let place = Place { x: frame.left, y: frame.top, width: frame.width, height: frame.height };
        self.disposal = match frame.disposal {
            2 => Some(Disposal::Clear(place)),
            3 => {
                let mut data = memory::room(canvas.data.len())?;
                data.extend_from_slice(&canvas.data);
                Some(Disposal::Restore(data))
            }
            _ => None,
        };
        let pixels = context.check(frame.width as u64, frame.height as u64)?;
        let mut indices = memory::filled(frame.transparent.unwrap_or(0), pixels)?;
        (frame.left, frame.top) = (0, 0);
        lzw::unpack(self.input, &frame, &mut indices, frame.width, context)?;
        self.input.pass()?;
        let shared = self.shared.get_or_insert_with(blocks::grey);
        for (y, row) in canvas.rows(place) {
            for (pixel, &index) in row.chunks_exact_mut(4).zip(&indices[y * frame.width..]) {
                Canvas::blend(pixel, colour(&frame, shared, index));
            }
        }
        Ok(true)
    }
}
