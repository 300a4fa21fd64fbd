//! The inverse transform of libjpeg(-turbo) by default: integers of 13 fractional bits, 8 x 8 (jidctint.c; where a
//! crafted block leaves the range of 16 bits, as its vector versions wrap and saturate).

const CONST_BITS: i32 = 13;
const PASS1_BITS: i32 = 2;

// The cosines of the algorithm of Loeffler, Ligtenberg and Moschytz, times 2^13.
const F_0_298: i32 = 2446;
const F_0_390: i32 = 3196;
const F_0_541: i32 = 4433;
const F_0_765: i32 = 6270;
const F_0_899: i32 = 7373;
const F_1_175: i32 = 9633;
const F_1_501: i32 = 12299;
const F_1_847: i32 = 15137;
const F_1_961: i32 = 16069;
const F_2_053: i32 = 16819;
const F_2_562: i32 = 20995;
const F_3_072: i32 = 25172;

/// Transforms one block of coefficients in natural order into 8 rows of `out` that lie `stride` apart.
pub(super) fn transform(block: &[i16; 64], quantization: &[u16; 64], out: &mut [u8], stride: usize) {
    let mut work = [0i16; 64];
    for (value, (&coefficient, &step)) in work.iter_mut().zip(block.iter().zip(quantization)) {
        *value = coefficient.wrapping_mul(step as i16);
    }
    if block[8..].iter().all(|&coefficient| coefficient == 0) {
        // The first pass only shifts, and here the vector versions wrap.
        let first: [i16; 8] = std::array::from_fn(|x| work[x].wrapping_shl(PASS1_BITS as u32));
        if block[1..8].iter().all(|&coefficient| coefficient == 0) {
            let value = sample(descale(first[0].into(), PASS1_BITS + 3));
            (0..8).for_each(|y| out[y * stride..y * stride + 8].fill(value));
            return;
        }
        let row = line(first, CONST_BITS + PASS1_BITS + 3).map(|value| sample(value.into()));
        (0..8).for_each(|y| out[y * stride..y * stride + 8].copy_from_slice(&row));
        return;
    }
    for x in 0..8 {
        let column = line(std::array::from_fn(|y| work[y * 8 + x]), CONST_BITS - PASS1_BITS);
        column.iter().enumerate().for_each(|(y, &value)| work[y * 8 + x] = value);
    }
    for y in 0..8 {
        let row = line(std::array::from_fn(|x| work[y * 8 + x]), CONST_BITS + PASS1_BITS + 3);
        let target = &mut out[y * stride..y * stride + 8];
        target.iter_mut().zip(row).for_each(|(target, value)| *target = sample(value.into()));
    }
}

fn sample(value: i32) -> u8 {
    (value.clamp(-128, 127) + 128) as u8
}

fn descale(value: i32, bits: i32) -> i32 {
    value.wrapping_add(1 << (bits - 1)) >> bits
}

/// One line of eight, rounded off by `bits`.
#[inline(always)]
fn line(input: [i16; 8], bits: i32) -> [i16; 8] {
    let wide = input.map(i32::from);
    // Even part.
    let z1 = (wide[2] + wide[6]) * F_0_541;
    let t2 = z1 - wide[6] * F_1_847;
    let t3 = z1 + wide[2] * F_0_765;
    let t0 = i32::from(input[0].wrapping_add(input[4])) << CONST_BITS;
    let t1 = i32::from(input[0].wrapping_sub(input[4])) << CONST_BITS;
    let even = [t0.wrapping_add(t3), t1.wrapping_add(t2), t1.wrapping_sub(t2), t0.wrapping_sub(t3)];
    // Odd part.
    let [t0, t1, t2, t3] = [wide[7], wide[5], wide[3], wide[1]];
    let z3 = i32::from(input[7].wrapping_add(input[3]));
    let z4 = i32::from(input[5].wrapping_add(input[1]));
    let z5 = (z3 + z4).wrapping_mul(F_1_175);
    let z3 = z5.wrapping_sub(z3 * F_1_961);
    let z4 = z5.wrapping_sub(z4 * F_0_390);
    let z1 = (t0 + t3) * F_0_899;
    let z2 = (t1 + t2).wrapping_mul(F_2_562);
    let odd = [
        (t3 * F_1_501).wrapping_sub(z1).wrapping_add(z4),
        (t2 * F_3_072).wrapping_sub(z2).wrapping_add(z3),
        (t1 * F_2_053).wrapping_sub(z2).wrapping_add(z4),
        (t0 * F_0_298).wrapping_sub(z1).wrapping_add(z3),
    ];
    let mut out = [0; 8];
    for i in 0..4 {
        out[i] = saturate(descale(even[i].wrapping_add(odd[i]), bits));
        out[7 - i] = saturate(descale(even[i].wrapping_sub(odd[i]), bits));
    }
    out
}

fn saturate(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}
