//! `controls` and `explain`: what is demanded, and why.

use std::process::ExitCode;

use compliance::controls::ALL;
use compliance::{Control, Reach, control};

use super::{paint_stdout, print_json};
use crate::cli::{Common, Explain};
use crate::failure::Failure;

/// Lists the catalogue.
pub fn list(common: &Common) -> Result<ExitCode, Failure> {
    if common.json {
        print_json(&ALL)?;
        return Ok(ExitCode::SUCCESS);
    }
    let paint = paint_stdout();
    for control in ALL {
        let (strong, faint) = (paint.strong, paint.faint);
        let severity = format!("{:?}", control.severity).to_lowercase();
        println!(
            "{strong}{}{strong:#}  {severity:<8}  {:<7}  {}{faint}  {}{faint:#}",
            control.id,
            scope(control),
            control.title,
            control.citations.join("; ")
        );
    }
    println!("\n{} controls; `cargo xtask explain ID` says more of one", ALL.len());
    Ok(ExitCode::SUCCESS)
}

/// Explains one control.
pub fn explain(common: &Common, args: &Explain) -> Result<ExitCode, Failure> {
    let Some(control) = control(&args.control) else {
        let wanted = args.control.to_ascii_uppercase();
        let near = ALL.iter().min_by_key(|control| {
            let short = control.id.trim_start_matches("FERPA-");
            strsim::levenshtein(short, wanted.trim_start_matches("FERPA-"))
        });
        let hint = near.map(|near| format!("did you mean {}? ", near.id)).unwrap_or_default();
        return Err(Failure::usage(
            format!("there is no control {}", args.control),
            format!("{hint}`cargo xtask controls` lists them"),
        ));
    };
    if common.json {
        print_json(control)?;
        return Ok(ExitCode::SUCCESS);
    }
    let strong = paint_stdout().strong;
    println!("{strong}{}  {}{strong:#}\n", control.id, control.title);
    println!("{}\n{}\n", control.statement, control.why);
    println!("severity    {:?}", control.severity);
    println!("scope       {}", scope(control));
    println!("serves      {}", control.citations.join("\n            "));
    println!("reads       {}", Vec::from_iter(control.fields()).join("\n            "));
    println!("to mend it  in a stack of this project: {}", control.remedy.stack);
    println!("            elsewhere: {}", control.remedy.api);
    Ok(ExitCode::SUCCESS)
}

fn scope(control: &Control) -> &'static str {
    match control.reach {
        Reach::Stack => "stack",
        Reach::Account => "account",
    }
}
