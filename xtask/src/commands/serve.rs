//! `serve`: the embedded account over HTTP, for the AWS CLI, boto3 and others.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use tokio::net::TcpListener;

use crate::cli::{Common, Serve, TargetName};
use crate::failure::Failure;
use crate::target;

/// Runs the command until it is interrupted.
pub async fn run(common: &Common, args: &Serve) -> Result<ExitCode, Failure> {
    if matches!(common.target, Some(TargetName::Aws | TargetName::Endpoint)) {
        return Err(Failure::usage("serve offers the embedded account only", "leave --target out"));
    }
    let plane = target::open_embedded(common)?;
    let cannot = |why: std::io::Error| {
        Failure::usage(
            format!("cannot listen on 127.0.0.1:{}: {why}", args.port),
            "choose another port with --port, or 0 for a free one",
        )
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    if common.json {
        println!("{}", serde_json::json!({"endpoint_url": format!("http://127.0.0.1:{port}")}));
    } else {
        println!(
            "Serving the embedded account on http://127.0.0.1:{port}, until Ctrl-C. For example:"
        );
        println!(
            "  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \\"
        );
        println!("  aws --endpoint-url http://127.0.0.1:{port} ec2 describe-vpcs");
    }
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    local::serve(plane, listener, stop).await.map_err(|why| Failure::Bug(why.to_string()))?;
    Ok(ExitCode::SUCCESS)
}
