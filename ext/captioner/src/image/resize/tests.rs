use super::super::crop::crop;
use super::*;

/// A seeded picture in which no two places are alike.
fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
    let mut state = seed;
    let data = (0..width as usize * height as usize * 3)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    RgbImage { width, height, data }
}

const FILTERS: [Filter; 4] = [Filter::Nearest, Filter::Lanczos, Filter::Bilinear, Filter::Bicubic];

fn compare(image: &RgbImage, (width, height): (u32, u32), region: Region, filter: Filter) {
    let whole = resize(image, width, height, filter).unwrap();
    let part = resize_region(image, width, height, region, filter).unwrap();
    let expected = crop(&whole, region).unwrap();
    assert!(part == expected, "{}x{} to {width}x{height}, {region:?}, {filter:?}", image.width, image.height);
}

/// Every tile of a grid, for sizes that grow, shrink, stay, and make either pass the first one.
#[test]
fn tiles_are_those_of_the_whole() {
    let sizes = [
        ((83, 61), (256, 192)),
        ((83, 61), (83, 192)),
        ((83, 61), (166, 61)),
        ((61, 400), (96, 64)),
        ((400, 61), (96, 64)),
        ((130, 97), (64, 64)),
        ((90, 70), (90, 70)),
        ((1, 300), (64, 32)),
        ((300, 1), (64, 32)),
    ];
    for (i, ((from_width, from_height), to)) in sizes.into_iter().enumerate() {
        let image = noise(from_width, from_height, i as u64);
        for filter in FILTERS {
            let (across, down) = ((to.0 / 3).max(1), (to.1 / 2).max(1));
            for y in (0..to.1).step_by(down as usize) {
                for x in (0..to.0).step_by(across as usize) {
                    let region = Region { x, y, width: across.min(to.0 - x), height: down.min(to.1 - y) };
                    compare(&image, to, region, filter);
                }
            }
        }
    }
}

#[test]
fn any_region_is_that_of_the_whole() {
    let mut state = 5u64;
    let mut random = |most: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % most
    };
    for round in 0..300 {
        let image = noise(1 + random(70), 1 + random(70), round);
        let to = (1 + random(150), 1 + random(150));
        let (x, y) = (random(to.0), random(to.1));
        let region = Region { x, y, width: 1 + random(to.0 - x), height: 1 + random(to.1 - y) };
        compare(&image, to, region, FILTERS[round as usize % 4]);
    }
}

#[test]
fn empty_sizes_and_regions_outside_are_refused() {
    let image = noise(4, 4, 1);
    let outside = Region { x: 5, y: 0, width: 4, height: 1 };
    let empty = RgbImage { width: 0, height: 4, data: Vec::new() };
    for result in [
        resize(&image, 0, 8, Filter::Bicubic),
        resize_region(&image, 8, 8, outside, Filter::Bicubic),
        resize(&empty, 8, 8, Filter::Nearest),
    ] {
        assert!(matches!(result, Err(Error::InvalidArgument(_))), "{result:?}");
    }
}
