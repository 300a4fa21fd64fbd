use captioner::image::RgbImage;

/// A picture of any size by formula, the same in `research/reference/moondream/crops.py`: slopes in red, a chequerboard in green, circles in blue.
pub fn picture(width: u32, height: u32) -> RgbImage {
    let mut data = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let red = 7 * x + 3 * y + x * y / 64;
            let green = if ((x / 8) ^ (y / 8)) & 1 == 1 { 255 } else { 0 };
            data.extend([red as u8, green, ((x * x + y * y) / 16) as u8]);
        }
    }
    RgbImage { width, height, data }
}
