//! What the end-to-end tests share: the command line as a user runs it, and the witnesses that this
//! project did not write.
//!
//! The witnesses (moto, boto3) come from the folder that `FERPA_MOTO` names, or are installed into a virtual
//! environment of the target directory. Where that is not possible the tests that need them say that
//! they were skipped and why; with `FERPA_WITNESSES=required` (as in CI) they fail instead. The same holds for
//! moto in a container, where Docker or the image cannot be had.

pub mod differences;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The folder of this package.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// A place to run commands in: an empty folder with its own state.
pub struct Desk {
    folder: tempfile::TempDir,
    endpoint: Option<String>,
}

/// What a command did.
pub struct Ran {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; `None` when it was killed.
    pub code: Option<i32>,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    /// Itself, if the exit code is this one; else a panic with all that it printed.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("{why}\n{}\n{}", self.stdout, self.stderr))
    }
}

impl Desk {
    /// A desk that works on an embedded account of its own.
    pub fn embedded() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), endpoint: None }
    }

    /// A desk that works on a server.
    pub fn at(endpoint: &str) -> Self {
        Self { endpoint: Some(endpoint.to_owned()), ..Self::embedded() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a writable folder");
    }

    /// `cargo xtask …`, ready to be started in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(xtask());
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        if let Some(endpoint) = &self.endpoint {
            command.env("AWS_ENDPOINT_URL", endpoint);
        }
        command
    }

    /// Runs `cargo xtask …` to its end.
    pub fn xtask(&self, args: &[&str]) -> Ran {
        self.run(self.command(args))
    }

    /// Runs a command of [`command`](Self::command) to its end.
    pub fn run(&self, mut command: Command) -> Ran {
        Ran::of(command.output().expect("the command line starts"))
    }
}

/// The command line's binary, built if need be.
pub fn xtask() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "xtask"]).current_dir(HERE);
        // `cargo test` tells a test about its package. Some build scripts (ring's) run again when one of these
        // variables changes: the build in here and the builds outside would undo each other, minutes each time.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&*name);
            }
        }
        let status = build.status().expect("cargo is there: it runs this test");
        assert!(status.success(), "xtask builds");
        target_folder().join("xtask")
    })
}

/// `target/debug`: this test runs from `target/debug/deps`.
fn target_folder() -> PathBuf {
    let me = std::env::current_exe().expect("a running test has a path");
    me.ancestors().nth(2).expect("tests lie in target/debug/deps").to_owned()
}

/// Where `python` with moto and boto3 is; `None` (after a message) where they cannot be had.
fn witnesses() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER
        .get_or_init(|| match find_witnesses() {
            Ok(folder) => Some(folder),
            Err(why) => {
                skip("moto and boto3", &why);
                None
            }
        })
        .as_deref()
}

/// Says that a witness is missing; where witnesses are required, that is a failure.
pub fn skip(witness: &str, why: &str) {
    let required = std::env::var("FERPA_WITNESSES").is_ok_and(|word| word == "required");
    assert!(!required, "{witness}: required here and cannot be had: {why}");
    // Not by `eprintln!`: the test runner keeps that for itself where a test passes.
    let _ = writeln!(std::io::stderr(), "skipped: {witness} cannot be had here: {why}");
}

fn find_witnesses() -> Result<PathBuf, String> {
    if let Ok(folder) = std::env::var("FERPA_MOTO") {
        return Ok(folder.into());
    }
    let home = target_folder().join("witnesses");
    let bin = home.join("bin");
    let requirements = Path::new(HERE).join("requirements.txt");
    let wanted = std::fs::read(&requirements).map_err(|why| why.to_string())?;
    // Several test processes may come here at once; the first one installs.
    let lock = std::fs::File::create(target_folder().join("witnesses.lock"))
        .map_err(|why| why.to_string())?;
    lock.lock().map_err(|why| why.to_string())?;
    // What was installed for other requirements is brought up to these.
    let complete = bin.join("complete");
    if std::fs::read(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(bin);
    }
    let run = |program: &Path, args: &[&str]| match Command::new(program).args(args).output() {
        Err(why) => Err(format!("{}: {why}", program.display())),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    };
    run(Path::new("python3"), &["-m", "venv", &home.to_string_lossy()])?;
    run(&bin.join("pip"), &["install", "--quiet", "-r", &requirements.to_string_lossy()])?;
    std::fs::write(&complete, wanted).map_err(|why| why.to_string())?;
    Ok(bin)
}

/// A moto server on a port of its own, gone with this value.
///
/// It is a process of its own, which is started in the time that a container takes and needs no Docker, and can be
/// asked what it [holds](Self::held). The tests of `containers.rs` use the container, so that what is published as an
/// image is held against too.
pub struct Moto {
    process: Option<Child>,
    _folder: Option<tempfile::TempDir>,
    _container: Option<Box<dyn Any>>,
    /// Its address.
    pub url: String,
}

/// What moto is told: `(name, value)`.
pub const MOTO_ENVIRONMENT: [(&str, &str); 2] = [
    ("MOTO_IAM_LOAD_MANAGED_POLICIES", "true"),
    // Machine images that nobody made, with a snapshot each.
    ("MOTO_EC2_LOAD_DEFAULT_AMIS", "false"),
];

impl Moto {
    /// Starts one; `None` where moto cannot be had (see the module's text).
    pub fn start() -> Option<Self> {
        let python = witnesses()?.join("python");
        let port = free_port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Command::new(python)
            .arg(Path::new(HERE).join("witness/moto_server.py"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .envs(MOTO_ENVIRONMENT)
            // Recordings are written to where it runs.
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let url = format!("http://127.0.0.1:{port}");
        let moto = Self { process: Some(server), _folder: Some(folder), _container: None, url };
        wait_for_port(port);
        Some(moto)
    }

    /// One that runs in a container; the container goes with this value.
    pub fn contained(container: impl Any, url: String) -> Self {
        Self { process: None, _folder: None, _container: Some(Box::new(container)), url }
    }
}

impl Moto {
    /// Forgets everything that was made.
    pub fn reset(&self) {
        self.ask("POST", "/moto-api/reset", "");
    }

    /// From now on calls need the permissions of who calls (or no longer).
    pub fn enforce(&self, on: bool) {
        // How many calls are free.
        self.ask("POST", "/moto-api/reset-auth", if on { "0" } else { "inf" });
    }

    /// From now on it keeps what it is asked, for [`writes`](Self::writes).
    pub fn record(&self) {
        self.ask("POST", "/moto-api/recorder/reset-recording", "");
        self.ask("POST", "/moto-api/recorder/start-recording", "");
    }

    /// The calls that may have changed something since it [records](Self::record), and how many of each: the server's
    /// own word, not that of the program that called.
    pub fn writes(&self) -> BTreeMap<String, usize> {
        let ran = python("writes.py", &self.url, &[]).expect("boto3 is beside moto");
        serde_json::from_value(ran.exits(0).json()).expect("calls and their numbers")
    }

    /// Whatever it holds, in any service: the names by `service.field`.
    pub fn held(&self) -> Held {
        serde_json::from_str(&self.ask("GET", "/moto-api/held", "")).expect("names by field")
    }

    fn ask(&self, method: &str, path: &str, text: &str) -> String {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the server runs");
        let length = text.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{text}"
        );
        stream.write_all(request.as_bytes()).expect("the server listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("an answer has a body").1.to_owned()
    }

    /// Waits until it has carried out every request that it has received, those of dead clients too.
    ///
    /// moto has a thread for each connection beside its own. Where the threads of a process cannot be counted this
    /// waits for two seconds.
    pub fn settle(&self) {
        let threads = || {
            let process = self.process.as_ref()?.id();
            Some(std::fs::read_dir(format!("/proc/{process}/task")).ok()?.count())
        };
        let begun = Instant::now();
        while let Some(count) = threads() {
            if count == 1 {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "moto is done with {count} threads");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_secs(2));
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// `cargo xtask serve` for a desk's embedded account, gone with this value.
pub struct Served {
    server: Child,
    /// Its address.
    pub url: String,
}

impl Served {
    /// Starts it on a free port.
    pub fn start(desk: &Desk) -> Self {
        let mut server = desk
            .command(&["--json", "serve", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command line starts");
        let stdout = server.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let said: Value = serde_json::from_str(&line).expect("it says so in JSON");
        Self { server, url: said["endpoint_url"].as_str().expect("a URL").to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Runs a Python script of this package with boto3 against a server; `None` where there is no boto3.
pub fn python(script: &str, endpoint: &str, args: &[&str]) -> Option<Ran> {
    python_reading(script, endpoint, args, "")
}

/// The same with a text on standard input.
pub fn python_reading(script: &str, endpoint: &str, args: &[&str], input: &str) -> Option<Ran> {
    let bin = witnesses()?;
    let mut python = Command::new(bin.join("python"))
        .arg(Path::new(HERE).join("witness").join(script))
        .args(args)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    // A script that does not read has nothing to say against it.
    let _ = python.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    Some(Ran::of(python.wait_with_output().expect("python ends")))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn wait_for_port(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server on port {port} came up");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a plan would change, without what moto is known to forget.
pub fn real_changes(plan: &Value) -> Vec<String> {
    let mut changes = Vec::new();
    for (action, kind, resource) in actions(plan) {
        if action["action"] != "update" {
            changes.push(format!("{} {resource}", action["action"]));
            continue;
        }
        for (path, change) in changed_fields(action) {
            if !differences::LOSSES.iter().any(|loss| loss.explains(kind, path)) {
                changes.push(format!("{resource} {path}: {} to {}", change["old"], change["new"]));
            }
        }
    }
    changes
}

/// The losses that a plan shows none of.
pub fn losses_not_seen(plan: &Value) -> Vec<&'static differences::Loss> {
    let seen = |loss: &differences::Loss| {
        actions(plan).any(|(action, kind, _)| {
            changed_fields(action).any(|(path, _)| loss.explains(kind, path))
        })
    };
    differences::LOSSES.iter().filter(|loss| !seen(loss)).collect()
}

fn actions(plan: &Value) -> impl Iterator<Item = (&Value, &str, &Value)> {
    let actions = plan["actions"].as_array().expect("a plan has actions").iter();
    actions.map(|one| (one, one["kind"].as_str().unwrap_or_default(), &one["resource"]))
}

fn changed_fields(action: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let changes = action["changes"].as_array().into_iter().flatten();
    changes.map(|change| (change["path"].as_str().unwrap_or_default(), change))
}

/// Has boto3 read the stack back from moto: all is as it should be but for what moto cannot answer, and that it
/// cannot answer still.
pub fn read_rows_back(desk: &Desk, moto: &Moto) {
    let outputs = write_outputs(desk);
    let ran = python("rows.py", &moto.url, &[&outputs, "dev"]).expect("boto3 is beside moto");
    let failed: BTreeSet<&str> =
        ran.stdout.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let expected: BTreeSet<&str> = differences::ROWS.iter().map(|row| row.row).collect();
    assert_eq!(failed, expected, "{}{}", ran.stdout, ran.stderr);
}

/// Writes the stack's outputs into the desk, and says where.
pub fn write_outputs(desk: &Desk) -> String {
    let outputs = desk.xtask(&["outputs", "--json"]).exits(0);
    desk.write("outputs.json", &outputs.stdout);
    desk.path().join("outputs.json").to_string_lossy().into_owned()
}

/// What moto [holds](Moto::held).
pub type Held = BTreeMap<String, Vec<String>>;

/// How many of each field are in one and were not in the other.
pub fn added(before: &Held, after: &Held) -> BTreeMap<String, usize> {
    let mut added = BTreeMap::new();
    for (field, names) in after {
        let mut old = before.get(field).cloned().unwrap_or_default();
        let news = names.iter().filter(|name| {
            let known = old.iter().position(|one| one == *name);
            known.map(|at| old.swap_remove(at)).is_none()
        });
        let count = news.count();
        if count > 0 {
            added.insert(field.clone(), count);
        }
    }
    added
}

/// Nothing has stayed in any of moto's services but what [`differences::REMAINS`] lists.
pub fn only_known_remains_stay(before: &Held, after: &Held) {
    let stayed = added(before, after);
    let expected = differences::REMAINS.iter();
    let expected: BTreeMap<&str, Option<usize>> =
        expected.map(|one| (one.field, one.count)).collect();
    let found: BTreeMap<&str, Option<usize>> = stayed
        .iter()
        .map(|(field, count)| {
            let counted = expected.get(field.as_str()).is_none_or(Option::is_some);
            (field.as_str(), counted.then_some(*count))
        })
        .collect();
    assert_eq!(found, expected);
}

/// What moto has been sent since it records changes nothing, but for what [`differences::REPEATED_CALLS`] lists.
pub fn only_known_calls_are_repeated(moto: &Moto) {
    let expected = differences::REPEATED_CALLS.iter();
    let expected: BTreeMap<String, usize> =
        expected.map(|one| (one.call.to_owned(), one.count)).collect();
    assert_eq!(moto.writes(), expected, "a second deploy writes nothing else");
}

/// Has boto3 look for what is left in moto after `destroy`.
pub fn nothing_is_left(moto: &Moto) {
    let left = python("left.py", &moto.url, &["student-dev"]).expect("boto3 is beside moto");
    let left: BTreeSet<String> =
        serde_json::from_value(left.exits(0).json()).expect("a list of names");
    let expected: BTreeSet<String> =
        differences::LEFTOVERS.iter().map(|one| one.name.to_owned()).collect();
    assert_eq!(left, expected, "nothing else of ours is left");
}

/// Writes a configuration that waives what moto cannot show, by control.
pub fn waive_what_moto_cannot_show(desk: &Desk) {
    let unreadable = differences::FINDINGS.iter().filter(|one| one.moto == Some("unknown"));
    let reasons: BTreeMap<&str, &str> = unreadable.map(|one| (one.control, one.reason)).collect();
    let waiver = |(control, why): (&str, &str)| {
        format!(
            "[[audit.waivers]]\ncontrol = \"{control}\"\nresource = \"*\"\nreason = \"{why}\"\n\
             owner = \"tests\"\nexpires = \"2999-12-31\"\n"
        )
    };
    desk.write("ferpa.toml", &reasons.into_iter().map(waiver).collect::<String>());
}

/// What an audit says, as `control resource: message`, of a status.
pub fn said(audit: &Value, status: &str) -> Vec<String> {
    let findings = audit["findings"].as_array().expect("an audit has findings").iter();
    let those = findings.filter(|finding| finding["status"] == status);
    those
        .map(|finding| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (control, id) = (text(&finding["control"]), text(&finding["resource"]["id"]));
            format!("{control} {id}: {}", text(&finding["message"]))
        })
        .collect()
}
