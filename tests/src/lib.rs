//! What the end-to-end tests share: the command line as a user runs it, and the witnesses that this
//! project did not write.
//!
//! The witnesses (moto, boto3) come from the folder that `FERPA_MOTO` names, or are installed into a virtual
//! environment of the target directory. Where that is not possible the tests that need them say that
//! they were skipped and why; with `FERPA_WITNESSES=required` (as in CI) they fail instead.

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
        Ran::of(self.command(args).output().expect("the command line starts"))
    }
}

/// The command line's binary, built if need be.
pub fn xtask() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "xtask"])
            .current_dir(HERE)
            .status()
            .expect("cargo is there: it runs this test");
        assert!(build.success(), "xtask builds");
        target_folder().join("xtask")
    })
}

/// `target/debug`: this test runs from `target/debug/deps`.
fn target_folder() -> PathBuf {
    let me = std::env::current_exe().expect("a running test has a path");
    me.ancestors().nth(2).expect("tests lie in target/debug/deps").to_owned()
}

/// Where `python`, `moto_server` and boto3 are; `None` (after a message) where they cannot be had.
fn witnesses() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER
        .get_or_init(|| match find_witnesses() {
            Ok(folder) => Some(folder),
            Err(why) => {
                let required =
                    std::env::var("FERPA_WITNESSES").is_ok_and(|word| word == "required");
                assert!(!required, "moto and boto3 are required here: {why}");
                eprintln!("skipped: moto and boto3 cannot be had here: {why}");
                None
            }
        })
        .as_deref()
}

fn find_witnesses() -> Result<PathBuf, String> {
    if let Ok(folder) = std::env::var("FERPA_MOTO") {
        return Ok(folder.into());
    }
    let home = target_folder().join("witnesses");
    let bin = home.join("bin");
    // Several test processes may come here at once; the first one installs.
    let lock = std::fs::File::create(target_folder().join("witnesses.lock"))
        .map_err(|why| why.to_string())?;
    lock.lock().map_err(|why| why.to_string())?;
    if bin.join("complete").exists() {
        return Ok(bin);
    }
    let run = |program: &Path, args: &[&str]| match Command::new(program).args(args).output() {
        Err(why) => Err(format!("{}: {why}", program.display())),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    };
    run(Path::new("python3"), &["-m", "venv", &home.to_string_lossy()])?;
    let requirements = Path::new(HERE).join("requirements.txt");
    run(&bin.join("pip"), &["install", "--quiet", "-r", &requirements.to_string_lossy()])?;
    std::fs::write(bin.join("complete"), "").map_err(|why| why.to_string())?;
    Ok(bin)
}

/// A moto server on a port of its own, gone with this value.
pub struct Moto {
    server: Child,
    /// Its address.
    pub url: String,
}

impl Moto {
    /// Starts one; `None` where moto cannot be had (see the module's text).
    pub fn start() -> Option<Self> {
        let bin = witnesses()?;
        let port = free_port();
        let server = Command::new(bin.join("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let moto = Self { server, url: format!("http://127.0.0.1:{port}") };
        wait_for_port(port);
        Some(moto)
    }
}

impl Moto {
    /// Forgets everything that was made.
    pub fn reset(&self) {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the server runs");
        let request = format!(
            "POST /moto-api/reset HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the server listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
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
    let bin = witnesses()?;
    let output = Command::new(bin.join("python"))
        .arg(Path::new(HERE).join("witness").join(script))
        .args(args)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .expect("python starts");
    Some(Ran::of(output))
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
