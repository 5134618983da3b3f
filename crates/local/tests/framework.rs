//! The account on disk: shared between processes, whole after a kill, and honest about damage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::time::{Duration, Instant};

use common::{code, sdk, sdk_in};
use local::ControlPlane;

async fn kms(plane: &ControlPlane) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&sdk(plane).await)
}

async fn key_ids(client: &aws_sdk_kms::Client) -> Vec<String> {
    let keys = client.list_keys().send().await.unwrap();
    let mut ids: Vec<String> =
        keys.keys().iter().map(|key| key.key_id().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

async fn create_key(client: &aws_sdk_kms::Client) -> String {
    let made = client.create_key().send().await.unwrap();
    made.key_metadata.unwrap().key_id
}

#[tokio::test]
async fn two_handles_on_one_folder_see_each_others_changes() {
    let folder = tempfile::tempdir().unwrap();
    let first = kms(&ControlPlane::open(folder.path()).unwrap()).await;
    let second = kms(&ControlPlane::open(folder.path()).unwrap()).await;
    let mut made = vec![create_key(&first).await, create_key(&second).await];
    made.push(create_key(&first).await);
    made.sort();
    assert_eq!(key_ids(&first).await, made);
    assert_eq!(key_ids(&second).await, made);
}

#[tokio::test]
async fn regions_are_kept_apart_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::open(folder.path()).unwrap();
    let west = aws_sdk_kms::Client::new(&sdk_in(&plane, "us-west-2").await);
    let id = create_key(&west).await;
    assert!(key_ids(&kms(&plane).await).await.is_empty());
    let again = ControlPlane::open(folder.path()).unwrap();
    let west = aws_sdk_kms::Client::new(&sdk_in(&again, "us-west-2").await);
    assert_eq!(key_ids(&west).await, [id]);
}

/// A process that is killed never runs its destructors: what was answered has to be on disk already.
#[tokio::test]
async fn a_kill_between_calls_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::open(folder.path()).unwrap();
    let id = create_key(&kms(&plane).await).await;
    std::mem::forget(plane);
    let after = ControlPlane::open(folder.path()).unwrap();
    assert_eq!(key_ids(&kms(&after).await).await, [id]);
}

/// A kill in the middle of a save leaves a half-written file beside the whole one.
#[tokio::test]
async fn a_kill_within_a_save_leaves_the_state_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let id = create_key(&kms(&ControlPlane::open(folder.path()).unwrap()).await).await;
    std::fs::write(folder.path().join("us-east-1/kms.new"), r#"{"keys": {"ab"#).unwrap();
    let after = kms(&ControlPlane::open(folder.path()).unwrap()).await;
    assert_eq!(key_ids(&after).await, std::slice::from_ref(&id));
    let mut both = vec![id, create_key(&after).await];
    both.sort();
    assert_eq!(key_ids(&after).await, both);
}

#[tokio::test]
async fn a_corrupt_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::open(folder.path()).unwrap();
    let client = kms(&plane).await;
    create_key(&client).await;
    let file = folder.path().join("us-east-1/kms.json");
    std::fs::write(&file, "not JSON").unwrap();
    let error = ControlPlane::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");

    // A handle that has the state in memory goes on, and the file is whole again.
    create_key(&client).await;
    assert_eq!(key_ids(&kms(&ControlPlane::open(folder.path()).unwrap()).await).await.len(), 2);
}

#[tokio::test]
async fn a_call_on_a_damaged_account_fails_and_lets_others_in() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::open(folder.path()).unwrap();
    let client = kms(&plane).await;
    let other = kms(&ControlPlane::open(folder.path()).unwrap()).await;
    create_key(&other).await;
    let file = folder.path().join("us-east-1/kms.json");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, "[").unwrap();
    // The SDK tries an internal failure again before it gives up.
    assert_eq!(code(client.list_keys().send().await), "InternalFailure");
    std::fs::write(&file, whole).unwrap();
    assert_eq!(key_ids(&client).await, key_ids(&other).await);
}

#[tokio::test]
async fn an_operation_that_is_not_there_says_so() {
    let client = kms(&ControlPlane::in_memory()).await;
    assert_eq!(code(client.generate_random().send().await), "UnknownOperationException");
}

/// A deploy makes some 250 writing calls; keeping the account on disk is to add little to each. The
/// limit is far above what a machine at rest needs, so that only a change of magnitude fails.
#[tokio::test]
async fn keeping_the_account_is_cheap() {
    let folder = tempfile::tempdir().unwrap();
    let kept = time_a_call(ControlPlane::open(folder.path()).unwrap()).await;
    let in_memory = time_a_call(ControlPlane::in_memory()).await;
    println!("a writing call takes {kept:?} on disk, {in_memory:?} in memory");
    assert!(kept.saturating_sub(in_memory).as_millis() < 30, "{kept:?}, {in_memory:?}");
}

async fn time_a_call(plane: ControlPlane) -> Duration {
    let client = kms(&plane).await;
    let keys = 50;
    let start = Instant::now();
    for _ in 0..keys {
        let id = create_key(&client).await;
        client.enable_key_rotation().key_id(&id).send().await.unwrap();
        client.update_key_description().key_id(&id).description("x").send().await.unwrap();
    }
    start.elapsed() / (3 * keys)
}
