//! The log of a stack's lease, in Parameter Store.

use aws_sdk_ssm::types::{Parameter, ParameterTier, ParameterType, Tag};
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::clock::AwsClock;
use super::view::{Entry, Record, View};
use crate::aws::Aws;
use crate::client;
use crate::error::{Error, Result};
use crate::stack::{STACK_TAG, StackName};

/// Numbered entries that are written once. Only [`put`](Self::put) has to be atomic; the others may lag behind.
pub(super) trait Log: Send + Sync {
    /// All entries, and what time it was.
    fn list(&self) -> BoxFuture<'_, Result<(View, Timestamp)>>;
    /// One entry.
    fn get(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>>>;
    /// Writes an entry, unless there is one with that number; says whether it did.
    fn put<'a>(&'a self, number: u64, entry: &'a Entry) -> BoxFuture<'a, Result<bool>>;
    /// Removes at most ten entries; those that are gone already are no error.
    fn delete<'a>(&'a self, numbers: &'a [u64]) -> BoxFuture<'a, Result<()>>;
    /// What time it is, as dates of entries are measured.
    fn now(&self) -> Timestamp;
}

pub(super) struct ParameterStore {
    ssm: aws_sdk_ssm::Client,
    aws: Aws,
    clock: AwsClock,
    stack: String,
    /// `/ferpa-stack/student-dev/lease`. The first level is ours, so that a policy can grant it, and does not
    /// begin with the reserved `aws` or `ssm`.
    path: String,
}

impl ParameterStore {
    pub(super) fn of(aws: &Aws, stack: &StackName) -> Self {
        let clock = AwsClock::default();
        let aws = aws.with_interceptor(clock.clone());
        let stack = stack.to_string();
        let path = format!("/ferpa-stack/{stack}/lease");
        Self { ssm: client!(aws, aws_sdk_ssm), aws, clock, stack, path }
    }

    fn name(&self, number: u64) -> String {
        format!("{}/{number:08}", self.path)
    }
}

impl Log for ParameterStore {
    fn list(&self) -> BoxFuture<'_, Result<(View, Timestamp)>> {
        Box::pin(async {
            let mut view = View::default();
            let mut token = None;
            loop {
                let page = self
                    .aws
                    .call(
                        "ssm:GetParametersByPath",
                        self.ssm
                            .get_parameters_by_path()
                            .path(&self.path)
                            .set_next_token(token.take())
                            .send(),
                    )
                    .await?;
                for parameter in page.parameters.unwrap_or_default() {
                    if let Some((number, record)) = read(&parameter)? {
                        view.insert(number, record);
                    }
                }
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok((view, self.clock.now()));
                }
            }
        })
    }

    fn get(&self, number: u64) -> BoxFuture<'_, Result<Option<Record>>> {
        Box::pin(async move {
            let call = self.ssm.get_parameter().name(self.name(number)).send();
            let found = self.aws.find("ssm:GetParameter", call).await?;
            let parameter = found.and_then(|found| found.parameter);
            Ok(parameter.as_ref().map(read).transpose()?.flatten().map(|(_, record)| record))
        })
    }

    fn put<'a>(&'a self, number: u64, entry: &'a Entry) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let value = serde_json::to_string(entry)
                .map_err(|why| Error::invalid("an entry of the lease", why))?;
            let tag = Tag::builder().key(STACK_TAG).value(&self.stack).build();
            let tag = tag.map_err(|why| Error::invalid("a tag", why))?;
            let call = self
                .ssm
                .put_parameter()
                .name(self.name(number))
                .description("Who deploys this stack; see docs/leases.md of ferpa-stack")
                .value(value)
                .r#type(ParameterType::String)
                .tier(ParameterTier::Standard)
                .overwrite(false)
                .tags(tag)
                .send();
            match self.aws.call("ssm:PutParameter", call).await {
                Ok(_) => Ok(true),
                // Somebody is writing it, or has.
                Err(Error::Api(error)) if error.is_exists() || error.code == "TooManyUpdates" => {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn delete<'a>(&'a self, numbers: &'a [u64]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let names = numbers.iter().map(|number| self.name(*number)).collect();
            let call = self.ssm.delete_parameters().set_names(Some(names)).send();
            self.aws.call("ssm:DeleteParameters", call).await.map(|_| ())
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// `None` for a parameter that is not ours.
fn read(parameter: &Parameter) -> Result<Option<(u64, Record)>> {
    let number = parameter.name().and_then(|name| name.rsplit('/').next()?.parse().ok());
    let Some(number) = number else { return Ok(None) };
    let modified = parameter.last_modified_date().and_then(|date| {
        let nanoseconds = date.as_nanos();
        Timestamp::from_nanosecond(nanoseconds).ok()
    });
    let modified = modified
        .ok_or_else(|| Error::incomplete("ssm:GetParametersByPath", "a LastModifiedDate"))?;
    let entry = parameter.value().and_then(|value| serde_json::from_str(value).ok());
    Ok(Some((number, Record { modified, entry })))
}
