//! Counts how deep the types of a component nest, without recursion. The decoder recurses for each level, so that a few
//! megabytes of levels would end the process.

use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentAlias, ComponentExternName, ComponentImport, ComponentType,
    ComponentTypeRef, CoreType,
};

/// The most levels. WIT needs three.
pub(super) const MAX_LEVELS: usize = 64;

/// The tags of component types and of instance types, whose declarations contain types.
const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;

/// Whether the types of a section nest too deep. Unreadable input is left to the validator.
pub(super) fn is_too_deep(section: &[u8]) -> bool {
    deepest(section).is_ok_and(|levels| levels > MAX_LEVELS)
}

/// Returns the depth of the deepest type, or the first depth beyond the limit.
fn deepest(section: &[u8]) -> Result<usize, BinaryReaderError> {
    let mut reader = BinaryReader::new(section, 0);
    // The entries that remain to be read at each level: types of the section, declarations of the types around.
    let mut left = vec![reader.read_var_u32()?];
    let mut levels = 0;
    while let Some(last) = left.last_mut() {
        let Some(one_less) = last.checked_sub(1) else {
            left.pop();
            continue;
        };
        *last = one_less;
        if left.len() == 1 || is_declared_type(&mut reader)? {
            match reader.clone().read_u8()? {
                COMPONENT | INSTANCE => {
                    reader.read_u8()?;
                    left.push(reader.read_var_u32()?);
                    levels = levels.max(left.len() - 1);
                    if levels > MAX_LEVELS {
                        break;
                    }
                }
                _ => _ = reader.read::<ComponentType<'_>>()?,
            }
        }
    }
    Ok(levels)
}

/// Reads a declaration up to the type that it declares, and returns true; any other to its end.
fn is_declared_type(reader: &mut BinaryReader<'_>) -> Result<bool, BinaryReaderError> {
    match reader.read_u8()? {
        0x00 => _ = reader.read::<CoreType<'_>>()?,
        0x01 => return Ok(true),
        0x02 => _ = reader.read::<ComponentAlias<'_>>()?,
        0x03 => _ = reader.read::<ComponentImport<'_>>()?,
        0x04 => {
            reader.read::<ComponentExternName<'_>>()?;
            reader.read::<ComponentTypeRef>()?;
        }
        _ => {
            // Not a declaration: the decoder ends here too, no deeper than this.
            while !reader.eof() {
                reader.read_u8()?;
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(level: &[u8], innermost: &[u8], levels: usize) -> Vec<u8> {
        [&[1], level.repeat(levels).as_slice(), innermost].concat()
    }

    #[test]
    fn levels_are_counted_without_a_level_of_the_stack() {
        for kind in [COMPONENT, INSTANCE] {
            let (level, innermost) = ([kind, 1, 1], [kind, 0]);
            assert!(!is_too_deep(&nested(&level, &innermost, MAX_LEVELS - 1)));
            assert!(is_too_deep(&nested(&level, &innermost, MAX_LEVELS)));
            assert!(is_too_deep(&nested(&level, &innermost, 1_000_000)));
        }
        // Among others: a string, an alias of an outer type, an exported type.
        let level = [INSTANCE, 4, 1, 0x73, 2, 0x03, 0x02, 0, 0, 4, 0, 1, b'a', 3, 0, 0, 1];
        assert!(is_too_deep(&nested(&level, &[INSTANCE, 0], 1_000)));
        assert!(!is_too_deep(&nested(&level, &[INSTANCE, 0], 3)));
        assert!(!is_too_deep(b"") && !is_too_deep(&[1, INSTANCE, 1, 9]));
    }
}
