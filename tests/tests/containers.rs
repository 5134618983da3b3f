//! The whole life of a stack in a container of moto: a server, an image and an SDK client that this project did not
//! write. Skipped, and saying why, where there is no Docker or no image.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use aws_config::BehaviorVersion;
use aws_sdk_ec2::config::{Credentials, Region};
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange};
use serde_json::Value;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{GenericImage, ImageExt, TestcontainersError};
use tests::differences::FINDINGS;
use tests::{
    Desk, MOTO_ENVIRONMENT, Moto, nothing_is_left, only_known_calls_are_repeated, read_rows_back,
    real_changes, skip,
};

/// How long a container may live, in seconds. It is removed with its [`Moto`]; a test process that is killed
/// cannot do that, and then the container ends by itself after this time and Docker removes it.
const CONTAINER_LIFE: &str = "1800";

/// Starts the image that `.ci/moto-image` pulls or makes; `None`, after a message, where there is no Docker or no
/// image.
fn moto_in_a_container() -> Option<Moto> {
    let image = GenericImage::new("motoserver/moto", "5.2.5")
        .with_exposed_port(5000.tcp())
        .with_wait_for(WaitFor::message_on_stderr("Running on"))
        .with_entrypoint("timeout")
        .with_cmd([CONTAINER_LIFE, "python3", "-m", "moto.server", "-H", "0.0.0.0"])
        .with_host_config_modifier(|host| host.auto_remove = Some(true));
    let image = MOTO_ENVIRONMENT
        .into_iter()
        .fold(image, |image, (name, value)| image.with_env_var(name, value));
    match image.start() {
        Ok(container) => {
            let host = container.get_host().unwrap();
            let port = container.get_host_port_ipv4(5000).unwrap();
            Some(Moto::contained(container, format!("http://{host}:{port}")))
        }
        // No Docker, or neither the image nor a registry.
        Err(TestcontainersError::Client(why)) => {
            skip("moto in a container", &why.to_string());
            None
        }
        Err(why) => panic!("moto starts in a container: {why}"),
    }
}

#[test]
fn a_stack_lives_and_is_broken_and_mended_and_gone_in_a_container() {
    let Some(moto) = moto_in_a_container() else { return };
    let desk = Desk::at(&moto.url);

    desk.xtask(&["deploy"]).exits(0);
    read_rows_back(&desk, &moto);
    let plan = desk.xtask(&["plan", "--json"]).exits(0).json();
    assert_eq!(real_changes(&plan), Vec::<String>::new(), "a second deploy has nothing to do");
    let before = desk.xtask(&["outputs", "--json"]).exits(0).json();
    moto.record();
    desk.xtask(&["deploy"]).exits(0);
    only_known_calls_are_repeated(&moto);
    let outputs = desk.xtask(&["outputs", "--json"]).exits(0).json();
    assert_eq!(before, outputs, "nothing was made anew");
    let whole = desk.xtask(&["audit", "--json"]).exits(3).json();
    assert_eq!(findings(&whole, "fail"), []);
    let unknown: BTreeSet<&str> =
        findings(&whole, "unknown").into_iter().map(|(control, _)| control).collect();
    assert_eq!(unknown, unknown_in_moto(), "what moto cannot show is no pass, and all else holds");

    let group = break_it(&moto.url, &outputs);
    let broken = desk.xtask(&["audit", "--json"]).exits(1).json();
    let key = outputs["kms_key_arns"]["rds"].as_str().unwrap().rsplit('/').next().unwrap();
    // Who may do everything may also pass any role, use any key, and whatever else these controls forbid.
    let expected = [
        ("FERPA-ACC-01", "student-ecs-task-dev"),
        ("FERPA-ACC-02", "student-ecs-task-dev"),
        ("FERPA-ACC-04", "student-ecs-task-dev"),
        ("FERPA-KEY-01", key),
        ("FERPA-KEY-05", "student-ecs-task-dev"),
        ("FERPA-NET-03", &group),
        ("FERPA-NET-04", &group),
    ];
    assert_eq!(findings(&broken, "fail"), expected);

    desk.xtask(&["deploy"]).exits(0);
    let mended = desk.xtask(&["audit", "--json"]).exits(3).json();
    assert_eq!(findings(&mended, "fail"), []);

    desk.xtask(&["destroy", "--allow-data-loss"]).exits(0);
    nothing_is_left(&moto);
}

/// The findings of a status: control and resource, sorted as an audit sorts them.
fn findings<'a>(audit: &'a Value, status: &str) -> Vec<(&'a str, &'a str)> {
    let text = |value: &'a Value| value.as_str().unwrap();
    audit["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["status"] == status)
        .map(|finding| (text(&finding["control"]), text(&finding["resource"]["id"])))
        .collect()
}

fn unknown_in_moto() -> BTreeSet<&'static str> {
    FINDINGS.iter().filter(|one| one.moto == Some("unknown")).map(|one| one.control).collect()
}

/// Opens the database's group to the world, turns off a key's rotation, and lets a role do everything. Gives the
/// group's id.
fn break_it(endpoint: &str, outputs: &Value) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .load()
            .await;

        let ec2 = aws_sdk_ec2::Client::new(&sdk);
        let named = Filter::builder().name("group-name").values("student-database-dev").build();
        let groups = ec2.describe_security_groups().filters(named).send().await.unwrap();
        let [group] = groups.security_groups() else { panic!("one group: {groups:?}") };
        let group = group.group_id().unwrap();
        let world = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(5432)
            .to_port(5432)
            .ip_ranges(world)
            .build();
        let open = ec2.authorize_security_group_ingress().group_id(group);
        open.ip_permissions(permission).send().await.unwrap();

        let kms = aws_sdk_kms::Client::new(&sdk);
        let key = outputs["kms_key_arns"]["rds"].as_str().unwrap();
        kms.disable_key_rotation().key_id(key).send().await.unwrap();

        let iam = aws_sdk_iam::Client::new(&sdk);
        let attach = iam.attach_role_policy().role_name("student-ecs-task-dev");
        attach.policy_arn("arn:aws:iam::aws:policy/AdministratorAccess").send().await.unwrap();
        group.to_owned()
    })
}
