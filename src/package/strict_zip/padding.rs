//! Checks the unused bits of a deflate stream: after the header of a stored block, and after the end of the stream.
//!
//! Decompressors ignore these bits, so changing them would give another file with the same content. The check runs on
//! streams that inflate without errors. It decodes the format (RFC 1951) only to find the ends of blocks.

/// Number of literal and length symbols, and number of distance symbols.
const SYMBOLS: [usize; 2] = [288, 30];
/// The symbol that ends a block.
const END: u16 = 256;
/// The order in which a block lists the lengths of its code length codes (RFC 1951, section 3.2.7).
const LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The longest code, in bits.
const MAX_LENGTH: usize = 15;

/// Returns whether all unused bits are zero. Also returns `false` for a stream that is truncated or damaged.
pub(super) fn is_zero(stream: &[u8]) -> bool {
    walk(&mut Bits { bytes: stream, at: 0 }).is_some()
}

/// A position in a stream, in bits.
struct Bits<'s> {
    bytes: &'s [u8],
    at: usize,
}

impl Bits<'_> {
    /// Returns the next `count` bits, at most 16, without advancing. Bits after the end are zeros.
    fn look(&self, count: usize) -> usize {
        let byte = |offset: usize| usize::from(self.bytes.get(self.at / 8 + offset).copied().unwrap_or(0));
        let window = byte(0) | byte(1) << 8 | byte(2) << 16;
        (window >> (self.at % 8)) & ((1 << count) - 1)
    }

    fn take(&mut self, count: usize) -> Option<usize> {
        let value = self.look(count);
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(value)
    }

    /// Advances to the next byte boundary; `None` if a skipped bit is not zero.
    fn align(&mut self) -> Option<()> {
        let rest = self.at.next_multiple_of(8) - self.at;
        (self.take(rest)? == 0).then_some(())
    }
}

fn walk(bits: &mut Bits<'_>) -> Option<()> {
    let fixed = fixed_codes()?;
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.align()?;
                let length = bits.take(16)?;
                bits.take(16)?;
                bits.at += length * 8;
                (bits.at <= bits.bytes.len() * 8).then_some(())?;
            }
            1 => {
                let (literals, distances) = &fixed;
                block(bits, literals, distances)?;
            }
            2 => {
                let (literals, distances) = codes(bits)?;
                block(bits, &literals, &distances)?;
            }
            _ => return None,
        }
        if is_last {
            bits.align()?;
            return (bits.at == bits.bytes.len() * 8).then_some(());
        }
    }
}

/// Advances to the end of a compressed block.
fn block(bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
    loop {
        let symbol = literals.next(bits)?;
        if symbol == END {
            return Some(());
        }
        if symbol > END {
            let length = usize::from(symbol - END - 1);
            let extra = match length {
                0..=7 | 28 => 0,
                _ => length / 4 - 1,
            };
            bits.take(extra)?;
            let distance = usize::from(distances.next(bits)?);
            bits.take(if distance < 4 { 0 } else { distance / 2 - 1 })?;
        }
    }
}

/// Reads the literal and distance codes of a block with dynamic codes.
fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances, given) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    let mut of_lengths = [0; 19];
    for place in LENGTH_ORDER.iter().take(given) {
        of_lengths[*place] = u8::try_from(bits.take(3)?).ok()?;
    }
    let of_lengths = Code::of(&of_lengths)?;
    let mut lengths: Vec<u8> = Vec::with_capacity(literals + distances);
    while lengths.len() < literals + distances {
        let (length, count) = match of_lengths.next(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        lengths.extend(std::iter::repeat_n(length, count));
    }
    let (literals, distances) = lengths.split_at_checked(literals)?;
    Some((Code::of(literals)?, Code::of(distances)?))
}

/// A prefix code: the number of codes of each length, and the symbols in the order of their codes. A lookup table would
/// decode faster, but it would have to be built for each block, and a stream may have millions of blocks.
struct Code {
    counts: [usize; MAX_LENGTH + 1],
    symbols: [u16; SYMBOLS[0] + 32],
}

impl Code {
    /// Builds the code from the code lengths of all symbols; the length is 0 for an unused symbol.
    fn of(lengths: &[u8]) -> Option<Code> {
        let mut code = Code { counts: [0; MAX_LENGTH + 1], symbols: [0; SYMBOLS[0] + 32] };
        for length in lengths {
            *code.counts.get_mut(usize::from(*length))? += 1;
        }
        code.counts[0] = 0;
        let mut places = [0; MAX_LENGTH + 1];
        for length in 1..MAX_LENGTH {
            places[length + 1] = places[length] + code.counts[length];
        }
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let place = &mut places[usize::from(*length)];
            *code.symbols.get_mut(*place)? = u16::try_from(symbol).ok()?;
            *place += 1;
        }
        Some(code)
    }

    /// Reads the next symbol. The codes of one length are consecutive; the first is twice the end of the shorter ones.
    fn next(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let window = bits.look(MAX_LENGTH);
        let (mut code, mut first, mut place) = (0, 0, 0);
        for length in 1..=MAX_LENGTH {
            code |= window >> (length - 1) & 1;
            let count = self.counts[length];
            if code < first + count {
                bits.take(length)?;
                return self.symbols.get(place + code - first).copied();
            }
            place += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Returns the codes of blocks with fixed codes.
fn fixed_codes() -> Option<(Code, Code)> {
    let lengths = |symbol: usize| match symbol {
        0..=143 | 280.. => 8,
        144..=255 => 9,
        _ => 7,
    };
    let literals: Vec<u8> = (0..SYMBOLS[0]).map(lengths).collect();
    Some((Code::of(&literals)?, Code::of(&[5; SYMBOLS[1]])?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::DeflateEncoder};

    use super::is_zero;

    fn deflated(content: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(stream: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(1 << 15);
        let mut inflater = flate2::Decompress::new(false);
        let status = inflater.decompress_vec(stream, &mut bytes, flate2::FlushDecompress::Finish).ok()?;
        (status == flate2::Status::StreamEnd && inflater.total_in() == stream.len() as u64).then_some(bytes)
    }

    /// Half a megabyte of empty blocks: the worst case for work per block.
    #[test]
    fn blocks_without_content_cost_little() {
        // An empty block with the fixed codes, many times: 0 1 0 and the end symbol, seven zeros.
        let mut bits: Vec<bool> = Vec::new();
        for _ in 0..400_000 {
            bits.extend([false, true, false]);
            bits.extend([false; 7]);
        }
        bits.extend([true, true, false]);
        bits.extend([false; 7]);
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0_u8, |byte, (at, bit)| byte | u8::from(*bit) << at);
        let stream: Vec<u8> = bits.chunks(8).map(byte).collect();
        assert_eq!(inflated(&stream).as_deref(), Some(&b""[..]));
        assert!(is_zero(&stream));
    }

    #[test]
    fn every_bit_that_carries_nothing_is_seen() {
        let mut noise = 0x2545_f491_4f6c_dd1d_u64;
        let noisy: Vec<u8> = std::iter::repeat_with(|| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()[0]
        })
        .take(9_000)
        .collect();
        let words = "进销存 inventory ".repeat(200).into_bytes();
        let mixed = [noisy.as_slice(), words.as_slice()].concat();
        for content in [b"".as_slice(), b"a", &words, &noisy[..300], &mixed] {
            for level in [0, 6] {
                let stream = deflated(content, level);
                assert!(is_zero(&stream), "level {level} of {} bytes", content.len());
                assert!(!is_zero(&[stream.as_slice(), &[0]].concat()));
                // A flipped bit that does not change the content is unused, so the check must find it.
                let step = stream.len() * 8 / 300 + 1;
                for bit in (0..stream.len() * 8).rev().step_by(step).chain(0..64.min(stream.len() * 8)) {
                    let mut flipped = stream.clone();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    if inflated(&flipped).as_deref() == Some(content) {
                        assert!(!is_zero(&flipped), "bit {bit} of {} at level {level}", stream.len() * 8);
                    }
                }
            }
        }
    }
}
