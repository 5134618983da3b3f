//! `policy`: the IAM policy that a command needs. Calls nothing.

use std::path::Path;
use std::process::ExitCode;

use compliance::Reach;
use engine::permission::Bounds;
use engine::{Allow, Stack};
use serde_json::{Value, json};

use super::{configuration, nowhere, print_json};
use crate::cli::{Common, PolicyArgs, PolicyOf, ScopeName};
use crate::failure::Failure;
use crate::policy::{self, MANAGED_POLICY_SIZE};
use crate::stack::FullStack;

/// Runs the command.
pub fn run(common: &Common, args: &PolicyArgs) -> Result<ExitCode, Failure> {
    let (config, _) = configuration(common)?;
    let site = nowhere(common, &config)?;
    let stack = FullStack::declare(&config, &site).0.graph;
    let permissions = needed(args.of, &stack);
    let bounds = policy::bounds(&stack, &site.region, args.account.as_deref());
    if let Some(folder) = &args.split {
        let files = write(folder, args.of, &permissions, &bounds)?;
        if common.json {
            print_json(&json!({"files": files}))?;
        } else {
            files.iter().for_each(|file| println!("{file}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let document = policy::document(&permissions, &bounds);
    print_json(&document)?;
    let size = policy::size(&document);
    if size > MANAGED_POLICY_SIZE {
        let parts = policy::documents(&permissions, &bounds).len();
        eprintln!(
            "This policy has {size} characters and a managed policy holds {MANAGED_POLICY_SIZE}: \
             `--split DIR` writes it as {parts} that fit."
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn needed(of: PolicyOf, stack: &Stack) -> Vec<Allow> {
    match of {
        PolicyOf::Deploy => policy::deploy(stack),
        PolicyOf::Destroy => policy::destroy(),
        PolicyOf::Audit { scope: ScopeName::Stack } => policy::audit(Reach::Stack),
        PolicyOf::Audit { scope: ScopeName::Account } => policy::audit(Reach::Account),
    }
}

/// Writes `student-dev-deploy-1.json`…
fn write(
    folder: &Path,
    of: PolicyOf,
    permissions: &[Allow],
    bounds: &Bounds,
) -> Result<Vec<String>, Failure> {
    let word = match of {
        PolicyOf::Deploy => "deploy",
        PolicyOf::Destroy => "destroy",
        PolicyOf::Audit { .. } => "audit",
    };
    let failed = |path: &Path, why: std::io::Error| Failure::File {
        verb: "write",
        path: path.display().to_string(),
        why: why.to_string(),
    };
    std::fs::create_dir_all(folder).map_err(|why| failed(folder, why))?;
    let mut files = Vec::new();
    for (at, part) in policy::documents(permissions, bounds).iter().enumerate() {
        let path = folder.join(format!("{}-{word}-{}.json", bounds.stack, at + 1));
        std::fs::write(&path, text(part)?).map_err(|why| failed(&path, why))?;
        files.push(path.display().to_string());
    }
    Ok(files)
}

fn text(policy: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(policy).map_err(|why| Failure::Bug(why.to_string()))?;
    Ok(text + "\n")
}
