//! Who holds a lease, and whether that process of this machine still lives.

use std::fs;
use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A run that holds, or held, a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// For people: `ana@build-7, process 4711`, or the job of a CI service.
    pub name: String,
    /// The run, as no other is called.
    pub run: String,
    /// `deploy`, `destroy` or `unlock`.
    pub command: String,
    /// The process, where the machine can be told from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// A process, as it can be found again on its own machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// A hash of what tells this machine, since it was started, from all others: boot, namespace of process
    /// ids, and user. Processes of other users may be hidden, so nothing is said of them.
    pub machine: String,
    /// Its id there.
    pub id: u32,
    /// When it started, in the kernel's ticks: ids are used again.
    pub started: u64,
}

impl Holder {
    /// This process.
    pub(super) fn this_process(command: &str) -> Self {
        Self {
            name: name(),
            run: uuid::Uuid::new_v4().to_string(),
            command: command.to_owned(),
            process: Process::this(),
        }
    }

    /// Whether it is certain that the process is no more. It is not for processes of other machines.
    pub(super) fn is_dead(&self) -> bool {
        let (Some(process), Some(machine)) = (&self.process, machine()) else { return false };
        process.machine == machine
            && started(process.id).is_ok_and(|started| started != Some(process.started))
    }
}

impl Process {
    fn this() -> Option<Self> {
        let id = std::process::id();
        Some(Self { machine: machine()?, id, started: started(id).ok()?? })
    }
}

/// `None` where there is no `/proc`: then nobody is known to be dead, and leases end by their time.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let mut hash = Sha256::new();
    hash.update(boot.trim());
    hash.update(namespace.to_string_lossy().as_bytes());
    hash.update(user_id()?.to_string());
    Some(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(unix)]
fn user_id() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(fs::metadata("/proc/self").ok()?.uid())
}

#[cfg(not(unix))]
fn user_id() -> Option<u32> {
    None
}

/// When a process started; `None` for one that is gone, or that is dead and not yet waited for.
fn started(id: u32) -> io::Result<Option<u64>> {
    /// The process went away while it was read.
    const ESRCH: i32 = 3;
    let text = match fs::read_to_string(format!("/proc/{id}/stat")) {
        Err(why) if why.kind() == ErrorKind::NotFound || why.raw_os_error() == Some(ESRCH) => {
            return Ok(None);
        }
        other => other?,
    };
    // The name, in parentheses, may hold spaces and parentheses of its own.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace();
    match fields.next() {
        Some("Z" | "X") => Ok(None),
        // The state is field 3 of proc(5), the start time is field 22.
        _ => match fields.nth(18).and_then(|field| field.parse().ok()) {
            Some(started) => Ok(Some(started)),
            None => Err(ErrorKind::InvalidData.into()),
        },
    }
}

fn name() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(repository), Some(run)) = (set("GITHUB_REPOSITORY"), set("GITHUB_RUN_ID")) {
        return format!("GitHub Actions run {run} of {repository}");
    }
    if let Some(job) = set("CI_JOB_URL").or_else(|| set("BUILD_URL")) {
        return job;
    }
    let user = set("USER").or_else(|| set("LOGNAME")).unwrap_or_else(|| "somebody".into());
    let host = fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|host| host.trim().to_owned())
        .ok()
        .or_else(|| set("HOSTNAME"))
        .unwrap_or_else(|| "a machine without a name".into());
    format!("{user}@{host}, process {}", std::process::id())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_dead_when_it_is_gone_or_another_has_its_id() {
        let mut me = Holder::this_process("deploy");
        assert!(!me.is_dead(), "this test runs");
        let process = me.process.as_mut().unwrap();
        process.started += 1;
        assert!(me.is_dead(), "another process has its id");

        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut other = Holder::this_process("deploy");
        let process = other.process.as_mut().unwrap();
        (process.id, process.started) = (child.id(), started(child.id()).unwrap().unwrap());
        assert!(!other.is_dead());
        child.kill().unwrap();
        // Killed and not waited for, it is a zombie: dead, too.
        while !other.is_dead() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.wait().unwrap();
        assert!(other.is_dead());

        other.process.as_mut().unwrap().machine = "another machine".into();
        assert!(!other.is_dead(), "nothing is known of other machines");
        other.process = None;
        assert!(!other.is_dead());
    }
}
