//! The limits of the reader.

/// Declares the limits: name, unit, default and meaning.
macro_rules! limits {
    ($( $variant:ident = $name:literal, $unit:ident, $default:expr, $meaning:literal; )*) => {
        /// A limit of the reader.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ArchiveLimit {
            $( #[doc = $meaning] $variant, )*
        }

        impl ArchiveLimit {
            /// Every limit, in the order of the documentation.
            pub const ALL: &'static [ArchiveLimit] = &[$( ArchiveLimit::$variant ),*];

            /// Returns the name, as used in messages and `--limit`.
            pub fn name(self) -> &'static str {
                match self { $( ArchiveLimit::$variant => $name, )* }
            }

            /// Returns the unit of the limit.
            pub fn unit(self) -> ArchiveUnit {
                match self { $( ArchiveLimit::$variant => ArchiveUnit::$unit, )* }
            }

            /// Returns what the limit applies to.
            pub fn meaning(self) -> &'static str {
                match self { $( ArchiveLimit::$variant => $meaning, )* }
            }

            /// Returns the default value.
            pub fn default_value(self) -> u64 {
                match self { $( ArchiveLimit::$variant => $default, )* }
            }
        }
    };
}

/// The unit of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveUnit {
    /// Bytes.
    Bytes,
    /// A number of items.
    Count,
    /// The quotient of two sizes.
    Ratio,
}

limits! {
    ArchiveBytes = "archive_bytes", Bytes, 64 << 20, "Bytes of the archive.";
    Entries = "entries", Count, 4_096, "Entries.";
    TotalBytes = "total_bytes", Bytes, 64 << 20, "Bytes of all entries together, inflated.";
    ComponentBytes = "component_bytes", Bytes, 32 << 20, "Bytes of an entry that ends in `.wasm`.";
    JsonBytes = "json_bytes", Bytes, 1 << 20, "Bytes of an entry that ends in `.json`.";
    SbomBytes = "sbom_bytes", Bytes, 8 << 20, "Bytes of an entry that ends in `.cdx.json`.";
    EntryRatio = "entry_ratio", Ratio, 100, "Inflated by deflated size of an entry above 1 MiB.";
    TotalRatio = "total_ratio", Ratio, 20, "Inflated size of all entries by the size of the archive, above 16 MiB.";
}

/// The values of all limits.
#[derive(Debug, Clone)]
pub struct Limits([u64; ArchiveLimit::ALL.len()]);

impl Default for Limits {
    fn default() -> Limits {
        let mut limits = Limits([0; ArchiveLimit::ALL.len()]);
        for limit in ArchiveLimit::ALL {
            limits.set(*limit, limit.default_value());
        }
        limits
    }
}

impl Limits {
    /// Returns the value of a limit.
    pub fn get(&self, limit: ArchiveLimit) -> u64 {
        self.0[limit as usize]
    }

    /// Sets the value of a limit.
    pub fn set(&mut self, limit: ArchiveLimit, most: u64) {
        self.0[limit as usize] = most;
    }

    /// Returns the limit for the size of an entry, by its file extension.
    pub(super) fn of_entry(name: &str) -> ArchiveLimit {
        let name = name.to_ascii_lowercase();
        let mut endings = name.rsplit('.');
        match (endings.next(), endings.next()) {
            (Some("json"), Some("cdx")) => ArchiveLimit::SbomBytes,
            (Some("json"), _) => ArchiveLimit::JsonBytes,
            (Some("wasm"), _) => ArchiveLimit::ComponentBytes,
            _ => ArchiveLimit::TotalBytes,
        }
    }
}
