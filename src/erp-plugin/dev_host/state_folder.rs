//! The folder that a dev host keeps its state in, and its initial users.

use std::fs::File;
use std::path::{Path, PathBuf};

use erp_files::{FileAccess, WriteError};
use erp_manifest::digest::hex;
use erp_manifest::{PermissionGrant, TenantId};
use erp_package::signing::{KeyError, SecretKey};
use erp_platform::http_api::PLUGIN_ADMIN;
use erp_platform::{Directory, Identity};
use erp_runtime::{Caller, Department};
use erp_store::Sealer;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const DATABASE: &str = "platform.sqlite";
const TOKENS: &str = "tokens.json";
const LOCK: &str = "lock";
const REGISTRY_KEY: &str = "registry.pem";
const SECRETS_KEY: &str = "secrets.key";
const REGISTRY_PUBLIC_KEY: &str = "registry.pub.pem";
/// Departments of every tenant, each with its parent.
const DEPARTMENTS: [(&str, Option<&str>); 4] = [
    ("headquarters", None),
    ("sales", Some("headquarters")),
    ("sales-north", Some("sales")),
    ("warehouse", Some("headquarters")),
];
/// The users of a new dev host: name, tenant, permissions.
const USERS: [(&str, &str, &[PermissionGrant]); 4] = [
    ("admin@acme", "acme", &[PermissionGrant::ALL]),
    ("viewer@acme", "acme", &[]),
    ("admin@globex", "globex", &[PermissionGrant::ALL]),
    ("viewer@globex", "globex", &[]),
];

/// A dev user's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UserToken {
    /// Such as `admin@acme`.
    pub user: String,
    /// The tenant.
    pub tenant: String,
    /// What goes behind `authorization: Bearer`.
    pub token: String,
    /// What the user was granted; `*` stands for all.
    #[schemars(with = "Vec<String>")]
    pub permissions: Vec<PermissionGrant>,
    /// Where the user works; none for one who belongs to no department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    id: String,
}

impl UserToken {
    /// The user's id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Why a state folder cannot be used.
#[derive(Debug, Error)]
pub enum StateFolderError {
    /// Another dev host uses it.
    #[error("another dev host uses {}", .0.display())]
    InUse(PathBuf),
    /// It cannot be created or opened, or a file in it is damaged.
    #[error("cannot use the state folder {}: {source}", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file in it cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A user cannot be created or changed, or a tenant cannot be removed.
    #[error("{0}")]
    BadUser(String),
    /// The operating system gave no random bytes for tokens or keys.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(String),
}

/// A state folder that belongs to this process until it ends, however it ends.
#[derive(Debug)]
pub struct StateFolder {
    folder: PathBuf,
    /// The users.
    pub tokens: Vec<UserToken>,
    /// Whether the folder had users while the database file was missing or empty.
    pub has_lost_rows: bool,
    _lock: File,
}

impl StateFolder {
    /// Opens or creates a state folder.
    ///
    /// # Errors
    /// [`StateFolderError`].
    pub fn open(folder: &Path) -> Result<StateFolder, StateFolderError> {
        let unusable = |source| StateFolderError::Unusable { folder: folder.to_path_buf(), source };
        erp_files::make_folder_private(folder).map_err(unusable)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(unusable)?;
        // The kernel releases the lock when the process ends, also after kill -9.
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(StateFolderError::InUse(folder.to_path_buf())),
            Err(std::fs::TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let bytes = |name: &str| fs_err::metadata(folder.join(name)).map_or(0, |metadata| metadata.len());
        let mut has_lost_rows = bytes(DATABASE) + bytes(&format!("{DATABASE}-wal")) == 0;
        let tokens = match fs_err::read(folder.join(TOKENS)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let why = format!("{TOKENS} cannot be read ({error}); move it away, and new users are made");
                unusable(std::io::Error::other(why))
            })?,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(error)),
            Err(_) => {
                has_lost_rows = false;
                let tokens = new_tokens()?;
                let text = serde_json::to_string_pretty(&tokens).unwrap_or_default();
                erp_files::write(&folder.join(TOKENS), text.as_bytes(), FileAccess::Private)?;
                tokens
            }
        };
        Ok(StateFolder { folder: folder.to_path_buf(), tokens, has_lost_rows, _lock: lock })
    }

    /// The sealer of the plugins' secrets. Its key is created at the first call, in this folder and not in the
    /// database.
    ///
    /// # Errors
    /// [`StateFolderError`].
    pub fn sealer(&self) -> Result<Sealer, StateFolderError> {
        let unusable = |why: String| StateFolderError::Unusable {
            folder: self.folder.clone(),
            source: std::io::Error::other(format!("{SECRETS_KEY}: {why}")),
        };
        let file = self.folder.join(SECRETS_KEY);
        let key = match fs_err::read(&file) {
            Ok(key) => key,
            // Only if there is no key: a new one would open no secret.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0; Sealer::KEY_BYTES];
                getrandom::fill(&mut key).map_err(|error| StateFolderError::NoRandomness(error.to_string()))?;
                erp_files::write(&file, &key, FileAccess::Private)?;
                key.to_vec()
            }
            Err(error) => return Err(unusable(error.to_string())),
        };
        let damaged = || unusable("it has another length; move it away, and set the secrets again".to_owned());
        Sealer::new(&key).ok_or_else(damaged)
    }

    /// The key that signs receipts, created at the first call. It is not encrypted, and only this user may read it:
    /// anyone who can read the folder can change the database too.
    ///
    /// # Errors
    /// [`StateFolderError`].
    pub fn registry_key(&self) -> Result<SecretKey, StateFolderError> {
        let unusable = |error: KeyError| StateFolderError::Unusable {
            folder: self.folder.clone(),
            source: std::io::Error::other(format!(
                "{REGISTRY_KEY}: {error}; put it back from a copy, or move it away: receipts of before are worth nothing then"
            )),
        };
        let file = self.folder.join(REGISTRY_KEY);
        let key = match fs_err::read_to_string(&file) {
            Ok(pem) => SecretKey::from_pem(&pem, None).map_err(unusable)?,
            // Only if there is no key: a new one would invalidate every receipt.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = SecretKey::generate().map_err(unusable)?;
                erp_files::write(&file, key.to_pem(None).map_err(unusable)?.as_bytes(), FileAccess::Private)?;
                key
            }
            Err(source) => return Err(StateFolderError::Unusable { folder: self.folder.clone(), source }),
        };
        erp_files::write_if_changed(&self.registry_public_key(), key.public().to_pem().as_bytes())?;
        Ok(key)
    }

    /// The file of the public half of that key, for `erp-plugin key trust`.
    pub fn registry_public_key(&self) -> PathBuf {
        self.folder.join(REGISTRY_PUBLIC_KEY)
    }

    /// Makes the database's file, and the files of SQLite beside it, accessible to this user only.
    pub(super) fn close_database(&self) -> Result<(), StateFolderError> {
        let unusable = |source| StateFolderError::Unusable { folder: self.folder.clone(), source };
        for name in [DATABASE.to_owned(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm")] {
            let file = self.folder.join(&name);
            if name == DATABASE || file.exists() {
                erp_files::make_private_file(&file).map_err(unusable)?;
            }
        }
        Ok(())
    }

    /// Removes all users of a tenant, and so the tenant; false if it has none. The change is on disk before this
    /// returns.
    ///
    /// # Errors
    /// [`StateFolderError`].
    pub fn remove_tenant(&mut self, tenant: &str) -> Result<bool, StateFolderError> {
        let is_of = |token: &UserToken| token.tenant == tenant;
        if self.tokens.first().is_some_and(is_of) {
            return Err(StateFolderError::BadUser(format!("the user who runs the host is of the tenant `{tenant}`")));
        }
        let left: Vec<UserToken> = self.tokens.iter().filter(|token| !is_of(token)).cloned().collect();
        if left.len() == self.tokens.len() {
            return Ok(false);
        }
        let text = serde_json::to_string_pretty(&left).unwrap_or_default();
        erp_files::write(&self.folder.join(TOKENS), text.as_bytes(), FileAccess::Private)?;
        self.tokens = left;
        Ok(true)
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// The file that keeps the ids of the plugins of a plugin folder.
    pub(super) fn plugin_folder_memory(&self) -> PathBuf {
        self.folder.join("plugin-folder.json")
    }

    /// Adds a user, or changes one; `None` keeps the present value. The change is on disk before this returns.
    ///
    /// # Errors
    /// [`StateFolderError`].
    pub fn put_user(
        &mut self,
        name: &str,
        tenant: Option<String>,
        permissions: Option<Vec<PermissionGrant>>,
        department: Option<String>,
    ) -> Result<UserToken, StateFolderError> {
        let bad = |why: String| Err(StateFolderError::BadUser(why));
        let mut tokens = self.tokens.clone();
        let index = match tokens.iter().position(|token| token.user == name) {
            Some(index) => index,
            None => {
                let Some(tenant) = tenant.clone().or_else(|| name.split_once('@').map(|(_, tenant)| tenant.to_owned()))
                else {
                    return bad(format!("`{name}` needs a tenant: write `name@tenant`"));
                };
                tokens.push(new_token(name, &tenant, &[])?);
                tokens.len() - 1
            }
        };
        let token = &mut tokens[index];
        if let Some(tenant) = tenant {
            token.tenant = tenant;
        }
        if let Err(why) = TenantId::named(&token.tenant) {
            return bad(why);
        }
        if let Some(permissions) = permissions {
            token.permissions = permissions;
        }
        if let Some(department) = department {
            token.department = Some(department).filter(|department| !department.is_empty());
        }
        let token = token.clone();
        // The first user runs the host. Without its permission, no user could grant a permission again.
        let may = |token: &UserToken| token.permissions.iter().any(|grant| grant.reach(PLUGIN_ADMIN).is_some());
        if tokens.first().is_some_and(|first| !may(first)) {
            return bad(format!("`{name}` must keep the permission `{PLUGIN_ADMIN}`: this user runs the host"));
        }
        let text = serde_json::to_string_pretty(&tokens).unwrap_or_default();
        erp_files::write(&self.folder.join(TOKENS), text.as_bytes(), FileAccess::Private)?;
        self.tokens = tokens;
        Ok(token)
    }

    /// The users by their tokens.
    pub fn directory(&self) -> Directory {
        let mut directory = Directory::default();
        for (department, parent) in DEPARTMENTS {
            directory.add_department(department, parent.map(str::to_owned));
        }
        for token in &self.tokens {
            let Some(tenant) = TenantId::new(token.tenant.clone()) else { continue };
            let caller = Caller {
                id: token.id.clone(),
                name: token.user.clone(),
                permissions: token.permissions.clone(),
                department: token.department.clone().map(|id| Department { id, ..Department::default() }),
            };
            directory.add_user(token.token.clone(), Identity { tenant, caller });
        }
        directory
    }
}

fn new_tokens() -> Result<Vec<UserToken>, StateFolderError> {
    USERS.into_iter().map(|(user, tenant, permissions)| new_token(user, tenant, permissions)).collect()
}

fn new_token(user: &str, tenant: &str, permissions: &[PermissionGrant]) -> Result<UserToken, StateFolderError> {
    let mut random = [0; 40];
    getrandom::fill(&mut random).map_err(|error| StateFolderError::NoRandomness(error.to_string()))?;
    let mut id = [0; 16];
    id.copy_from_slice(&random[24..]);
    Ok(UserToken {
        user: user.to_owned(),
        tenant: tenant.to_owned(),
        token: format!("dev_{}", hex(&random[..24])),
        permissions: permissions.to_vec(),
        department: None,
        id: uuid::Builder::from_random_bytes(id).into_uuid().to_string(),
    })
}
