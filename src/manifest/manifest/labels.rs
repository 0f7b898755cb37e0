//! The labels of a manifest, with the keys that translations use for them.

use super::Manifest;

/// Returns every label: its key, and its text in the manifest's own language.
pub fn label_keys(manifest: &Manifest) -> Vec<(String, String)> {
    let mut labels = vec![("plugin".to_owned(), manifest.metadata.name.to_string())];
    for entity in &manifest.schema.entities {
        labels.push((format!("entity.{}", *entity.name), entity.display_name.clone()));
        for field in &entity.fields {
            labels.push((format!("entity.{}.{}", *entity.name, *field.name), field.label().to_owned()));
            for option in &field.options {
                labels
                    .push((format!("entity.{}.{}.{}", *entity.name, *field.name, option.value), option.label.clone()));
            }
        }
    }
    for permission in &manifest.permissions {
        labels.push((format!("permission.{}", *permission.code), permission.name.clone()));
    }
    for page in &manifest.ui.pages {
        let tabs = page.pages.iter().map(|tab| &tab.0);
        labels.extend(
            std::iter::once(page).chain(tabs).map(|page| (format!("page.{}", page.route()), page.label.clone())),
        );
    }
    for action in &manifest.ui.actions {
        labels.push((format!("action.{}", *action.name), action.label.clone()));
    }
    for node in &manifest.nodes {
        labels.push((format!("node.{}", *node.kind), node.display_name.clone()));
        for property in &node.properties {
            let label = property.display_name.clone().unwrap_or_else(|| property.name.to_string());
            labels.push((format!("node.{}.{}", *node.kind, *property.name), label));
            for option in &property.options {
                let key = format!("node.{}.{}.{}", *node.kind, *property.name, option.value);
                labels.push((key, option.label.clone()));
            }
        }
    }
    for setting in &manifest.settings.fields {
        labels.push((format!("setting.{}", *setting.key), setting.label.clone()));
    }
    labels
}
