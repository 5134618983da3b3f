//! What the account holds, and where it is kept between processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::services;

/// The account id of the embedded account, which AWS's own documentation uses for examples.
pub const ACCOUNT_ID: &str = "123456789012";

/// A service's state that knows whether it was touched since it was last saved.
#[derive(Debug, Default)]
pub struct Tracked<T> {
    value: T,
    touched: bool,
}

impl<T> Deref for Tracked<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.touched = true;
        &mut self.value
    }
}

impl<T: Serialize + DeserializeOwned + Default> Tracked<T> {
    fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(text) => {
                let value = serde_json::from_slice(&text)
                    .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display())))?;
                Ok(Self { value, touched: false })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn save(&mut self, path: &Path) -> io::Result<bool> {
        if !self.touched {
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // A rename is atomic: a process killed here leaves the old state or the new one.
        let fresh = path.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(&self.value)?)?;
        fs::rename(&fresh, path)?;
        self.touched = false;
        Ok(true)
    }
}

/// Defines a struct of service states with loading and saving: a line for each service.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($service:ident : $state:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name {
            $(#[doc = concat!("The state of `", stringify!($service), "`.")] pub $service: Tracked<$state>,)*
        }

        impl $name {
            fn load(folder: &Path) -> io::Result<Self> {
                Ok(Self { $($service: Tracked::load(&folder.join(concat!(stringify!($service), ".json")))?,)* })
            }

            fn save(&mut self, folder: &Path) -> io::Result<bool> {
                let mut any = false;
                $(any |= self.$service.save(&folder.join(concat!(stringify!($service), ".json")))?;)*
                Ok(any)
            }
        }
    };
}

states! {
    /// What is the same in every region.
    Global {
        iam: services::iam::State,
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
        // A line for each regional service: name, state.
    }
}

/// The account.
#[derive(Debug)]
pub struct Account {
    /// Its twelve digits.
    pub id: String,
    /// What is the same in every region.
    pub global: Global,
    regions: BTreeMap<String, Region>,
}

impl Default for Account {
    fn default() -> Self {
        Self { id: ACCOUNT_ID.into(), global: Global::default(), regions: BTreeMap::new() }
    }
}

impl Account {
    /// A region's state, to look at.
    pub fn region_if_any(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
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
    generation: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Header {
    generation: u64,
}

impl Store {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        // Generation 0 is never on disk, so the first call loads whatever is there.
        Ok(Self { folder: folder.to_owned(), lock, generation: 0 })
    }

    /// Takes the lock, and loads the account again if another process has changed it since.
    pub(crate) fn enter(&mut self, account: &mut Account) -> io::Result<()> {
        self.lock.lock()?;
        let header: Tracked<Header> = Tracked::load(&self.folder.join("generation.json"))?;
        if header.generation != self.generation {
            let mut fresh = Account { global: Global::load(&self.folder.join("global"))?, ..Account::default() };
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() && name != "global" {
                    fresh.regions.insert(name, Region::load(&entry.path())?);
                }
            }
            *account = fresh;
            self.generation = header.generation;
        }
        Ok(())
    }

    /// Saves what was touched, and lets go of the lock.
    pub(crate) fn leave(&mut self, account: &mut Account) -> io::Result<()> {
        let mut any = account.global.save(&self.folder.join("global"))?;
        for (name, region) in &mut account.regions {
            any |= region.save(&self.folder.join(name))?;
        }
        if any {
            self.generation += 1;
            let mut header = Tracked { value: Header { generation: self.generation }, touched: true };
            header.save(&self.folder.join("generation.json"))?;
        }
        self.lock.unlock()
    }
}
