//! What the vision tower makes of an image's size, told before anything is allocated for it.

use super::vision_config::VisionConfig;

/// Windows are square; attention within one grows with the fourth power of its side. Published towers have 12.
const LARGEST_WINDOW: usize = 64;
/// Pixels of a patch's side; published towers have 7 at most.
const LARGEST_PATCH: usize = 64;
/// Values of one stage's grid, windows filled up: 256 MiB of `f32`, sevenfold what the largest published tower has.
const MOST_VALUES: usize = 1 << 26;

/// Can patches and windows be of these sizes, whatever the image? Says what cannot.
pub fn check(vision: &VisionConfig) -> Result<(), String> {
    if !(1..=LARGEST_WINDOW).contains(&vision.window_size) {
        return Err(format!("a window_size of {} is not plausible", vision.window_size));
    }
    for (stage, kernel) in vision.patch_size.iter().copied().enumerate() {
        let (stride, padding) = (vision.patch_stride[stage], vision.patch_padding[stage]);
        if !(1..=LARGEST_PATCH).contains(&kernel) || !(1..=kernel).contains(&stride) || padding >= kernel {
            return Err(format!("stage {stage}: patches of {kernel}, a stride of {stride}, a padding of {padding}"));
        }
    }
    Ok(())
}

/// Height and width, in tokens, of the last stage's grid for an image of `size` pixels; or why there is none. `vision` has
/// passed [`check`].
pub fn last_grid(vision: &VisionConfig, size: (usize, usize)) -> Result<(usize, usize), String> {
    let mut grid = size;
    for (stage, &channels) in vision.embed_dim.iter().enumerate() {
        let (kernel, stride) = (vision.patch_size[stage], vision.patch_stride[stage]);
        let side = |side: usize| (side + 2 * vision.patch_padding[stage]).checked_sub(kernel).map(|s| s / stride + 1);
        let (height, width) = side(grid.0)
            .zip(side(grid.1))
            .ok_or_else(|| format!("stage {stage}: {}x{} tokens are less than a patch of {kernel}", grid.0, grid.1))?;
        let filled = |side: usize| side.next_multiple_of(vision.window_size);
        let values = filled(height).checked_mul(filled(width)).and_then(|tokens| tokens.checked_mul(channels));
        if values.is_none_or(|values| values > MOST_VALUES) {
            return Err(format!("stage {stage}: {height}x{width} tokens of {channels} channels are too many"));
        }
        grid = (height, width);
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vision(changes: &[(&str, &str)]) -> VisionConfig {
        let mut config = serde_json::json!({
            "embed_dim": [128, 256, 512, 1024], "depths": [1, 1, 9, 1], "num_heads": [4, 8, 16, 32],
            "num_groups": [4, 8, 16, 32], "patch_size": [7, 3, 3, 3], "patch_stride": [4, 2, 2, 2],
            "patch_padding": [3, 1, 1, 1], "patch_prenorm": [false, true, true, true], "window_size": 12,
            "projection_dim": 768
        });
        for (key, value) in changes {
            config[*key] = value.parse().unwrap();
        }
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn published_towers_keep_their_grids() {
        for (size, grid) in [((768, 768), (24, 24)), ((384, 512), (12, 16)), ((1, 1), (1, 1))] {
            assert_eq!(check(&vision(&[])), Ok(()));
            assert_eq!(last_grid(&vision(&[]), size), Ok(grid));
        }
    }

    #[test]
    fn what_no_tower_has_is_refused() {
        for (key, value, what) in [
            ("window_size", "100000", "window_size of 100000"),
            ("window_size", "0", "window_size of 0"),
            ("patch_padding", "[3, 100000, 1, 1]", "stage 1"),
            ("patch_padding", "[3, 1, 1, 1000]", "stage 3"),
            ("patch_stride", "[4, 2, 0, 2]", "stage 2"),
            ("patch_stride", "[4, 2, 2, 18446744073709551615]", "stage 3"),
            ("patch_size", "[65, 3, 3, 3]", "stage 0"),
        ] {
            let error = check(&vision(&[(key, value)])).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn an_image_that_a_tower_cannot_take_is_refused() {
        let no_padding = vision(&[("patch_padding", "[0, 0, 0, 0]")]);
        assert!(last_grid(&no_padding, (6, 768)).unwrap_err().contains("less than a patch of 7"));
        // Every pixel a token.
        let ones = "[1, 1, 1, 1]";
        let dense = vision(&[("patch_size", ones), ("patch_stride", ones), ("patch_padding", "[0, 0, 0, 0]")]);
        assert!(last_grid(&dense, (4096, 4096)).unwrap_err().contains("too many"));
        let wide = vision(&[("embed_dim", "[9223372036854775807, 1, 1, 1]")]);
        assert!(last_grid(&wide, (768, 768)).unwrap_err().contains("too many"));
    }
}
