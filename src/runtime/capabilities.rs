//! Checks which entities, secrets and configuration keys a plugin may read.

use erp_manifest::Manifest;

/// True for the plugin's own entities, and for public entities of others that the manifest grants and does not deny.
pub(super) fn may_read_entity(manifest: &Manifest, plugin: &str, entity: &str, is_public: bool) -> bool {
    if plugin == manifest.metadata.id.as_str() {
        return true;
    }
    let name = format!("{plugin}.{entity}");
    let capabilities = &manifest.capabilities;
    is_public
        && capabilities.read_entities.iter().any(|granted| **granted == name)
        && !capabilities.deny.read_entities.iter().any(|denied| **denied == name)
}

/// True if the manifest grants the secret and does not deny it.
pub(super) fn may_read_secret(manifest: &Manifest, key: &str) -> bool {
    let capabilities = &manifest.capabilities;
    capabilities.secrets.iter().any(|granted| **granted == key)
        && !capabilities.deny.secrets.iter().any(|denied| **denied == key)
}

/// True if the manifest grants the key and does not deny it; `*` at the end of a pattern matches any rest.
pub(super) fn may_read_config(manifest: &Manifest, key: &str) -> bool {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => key.starts_with(prefix),
        None => pattern == key,
    };
    let capabilities = &manifest.capabilities;
    capabilities.config.iter().any(|pattern| matches(pattern))
        && !capabilities.deny.config.iter().any(|pattern| matches(pattern))
}
