//! What the account holds, and where it is kept between processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::ids::Ids;
use crate::services;

/// The account id of the embedded account, which AWS's own documentation uses for examples.
pub const ACCOUNT_ID: &str = "123456789012";

/// A service's state that knows whether it was touched since it was last saved. A clone shares the value
/// until one of the two changes.
#[derive(Debug, Clone, Default)]
pub struct Tracked<T> {
    value: Arc<T>,
    touched: bool,
}

impl<T> Deref for Tracked<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.touched = true;
        Arc::make_mut(&mut self.value)
    }
}

impl<T: Serialize + DeserializeOwned + Default> Tracked<T> {
    fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(text) => {
                let value = serde_json::from_slice(&text).map_err(|why| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
                })?;
                Ok(Self { value: Arc::new(value), touched: false })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn save(&mut self, path: &Path) -> io::Result<()> {
        if !self.touched {
            return Ok(());
        }
        // A rename is atomic: a process killed here leaves the old state or the new one.
        let fresh = path.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(&*self.value)?)?;
        fs::rename(&fresh, path)?;
        self.touched = false;
        Ok(())
    }
}

/// Defines a struct of service states with loading and saving: a line for each service.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($service:ident : $state:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $(#[doc = concat!("The state of `", stringify!($service), "`.")] pub $service: Tracked<$state>,)*
        }

        impl $name {
            fn load(folder: &Path) -> io::Result<Self> {
                Ok(Self { $($service: Tracked::load(&folder.join(concat!(stringify!($service), ".json")))?,)* })
            }

            fn is_touched(&self) -> bool {
                false $(|| self.$service.touched)*
            }

            fn shares_all_with(&self, other: &Self) -> bool {
                true $(&& Arc::ptr_eq(&self.$service.value, &other.$service.value))*
            }

            fn to_json(&self) -> serde_json::Result<Value> {
                let mut all = serde_json::Map::new();
                $(all.insert(stringify!($service).into(), serde_json::to_value(&*self.$service.value)?);)*
                Ok(all.into())
            }

            fn save(&mut self, folder: &Path) -> io::Result<()> {
                if self.is_touched() {
                    fs::create_dir_all(folder)?;
                }
                $(self.$service.save(&folder.join(concat!(stringify!($service), ".json")))?;)*
                Ok(())
            }
        }
    };
}

states! {
    /// What is the same in every region.
    Global {
        iam: services::iam::State,
        s3: services::s3::State,
        s3control: services::s3control::State,
        // A line for each global service: name, state.
    }
}

states! {
    /// What a region holds.
    Region {
        timers: BTreeMap<String, Timestamp>,
        ec2: services::ec2::State,
        kms: services::kms::State,
        logs: services::logs::State,
        secretsmanager: services::secretsmanager::State,
        elasticache: services::elasticache::State,
        rds: services::rds::State,
        apigateway: services::apigateway::State,
        wafv2: services::wafv2::State,
        cloudtrail: services::cloudtrail::State,
        sns: services::sns::State,
        ssm: services::ssm::State,
        guardduty: services::guardduty::State,
        accessanalyzer: services::accessanalyzer::State,
        monitoring: services::monitoring::State,
        application_autoscaling: services::application_autoscaling::State,
        ecs: services::ecs::State,
        elasticloadbalancing: services::elasticloadbalancing::State,
        kinesis: services::kinesis::State,
        firehose: services::firehose::State,
        elasticfilesystem: services::elasticfilesystem::State,
        backup: services::backup::State,
        acm: services::acm::State,
        lambda: services::lambda::State,
        // A line for each regional service: name, state.
    }
}

/// The account. A clone is a snapshot, and costs next to nothing: it shares with the original what
/// neither changes.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its twelve digits.
    pub id: String,
    /// What is the same in every region.
    pub global: Global,
    regions: BTreeMap<String, Region>,
    pub(crate) ids: Ids,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: ACCOUNT_ID.into(),
            global: Global::default(),
            regions: BTreeMap::new(),
            ids: Ids::default(),
        }
    }
}

impl Account {
    /// An empty account whose identifiers follow from what is asked for: runs that make the same resources
    /// lead to accounts that are equal but for times, tokens and passwords.
    pub fn comparable() -> Self {
        Self { ids: Ids::derived(), ..Self::default() }
    }

    /// Whether nothing was written since one of the two was cloned from the other. `false` may also mean that
    /// a call asked for the right to write and did not use it.
    pub fn shares_all_with(&self, other: &Self) -> bool {
        self.global.shares_all_with(&other.global)
            && self.regions.len() == other.regions.len()
            && self.regions.iter().all(|(name, region)| {
                other.regions.get(name).is_some_and(|other| region.shares_all_with(other))
            })
    }

    /// All that it holds, by region (or `global`) and service.
    ///
    /// # Errors
    /// When a service's state cannot be written as JSON, which is a fault of the service.
    pub fn to_json(&self) -> serde_json::Result<Value> {
        let mut all = serde_json::Map::from_iter([("global".into(), self.global.to_json()?)]);
        for (name, region) in &self.regions {
            all.insert(name.clone(), region.to_json()?);
        }
        Ok(all.into())
    }

    /// Every region in which something was made.
    pub fn regions(&self) -> impl Iterator<Item = (&str, &Region)> {
        self.regions.iter().map(|(name, region)| (name.as_str(), region))
    }

    /// A region's state, to look at.
    pub fn region_if_any(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    fn is_touched(&self) -> bool {
        self.global.is_touched() || self.regions.values().any(Region::is_touched)
    }

    /// A region's state.
    pub fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_default()
    }
}

/// Where an account is kept: a folder with a file for each service, and a lock, so that several
/// processes see one account.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    lock: File,
    /// The generation of what is in memory; `None` before the first load.
    generation: Option<u64>,
}

impl Store {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // The account holds secrets, if only imitated ones.
        #[cfg(unix)]
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(folder.join("lock"))?;
        Ok(Self { folder: folder.to_owned(), lock, generation: None })
    }

    /// Takes the lock, and loads the account again if another process has changed it since.
    pub(crate) fn enter(&mut self, account: &mut Account) -> io::Result<()> {
        self.lock.lock()?;
        let loaded = self.refresh(account);
        if loaded.is_err() {
            self.lock.unlock()?;
        }
        loaded
    }

    fn refresh(&mut self, account: &mut Account) -> io::Result<()> {
        let generation = self.stored_generation()?;
        if self.generation == Some(generation) {
            return Ok(());
        }
        let mut fresh =
            Account { global: Global::load(&self.folder.join("global"))?, ..Account::default() };
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && name != "global" {
                fresh.regions.insert(name, Region::load(&entry.path())?);
            }
        }
        *account = fresh;
        self.generation = Some(generation);
        Ok(())
    }

    /// The generation on disk. It is written in place in the lock file: a few bytes, which a kill
    /// does not tear apart, and much cheaper than to replace one more file.
    fn stored_generation(&self) -> io::Result<u64> {
        let mut text = String::new();
        (&self.lock).seek(SeekFrom::Start(0))?;
        (&self.lock).read_to_string(&mut text)?;
        let wrong = |why| {
            let lock = self.folder.join("lock");
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", lock.display()))
        };
        match text.trim() {
            "" => Ok(0),
            number => number.parse().map_err(wrong),
        }
    }

    /// Saves what was touched, and lets go of the lock.
    pub(crate) fn leave(&mut self, account: &mut Account) -> io::Result<()> {
        let saved = self.save(account);
        self.lock.unlock()?;
        saved
    }

    fn save(&mut self, account: &mut Account) -> io::Result<()> {
        if !account.is_touched() {
            return Ok(());
        }
        // The generation goes first: should this process be killed between two files, others still
        // load what it wrote.
        let generation = self.generation.unwrap_or_default() + 1;
        (&self.lock).seek(SeekFrom::Start(0))?;
        (&self.lock).write_all(format!("{generation:020}").as_bytes())?;
        self.generation = Some(generation);
        account.global.save(&self.folder.join("global"))?;
        for (name, region) in &mut account.regions {
            region.save(&self.folder.join(name))?;
        }
        Ok(())
    }
}
