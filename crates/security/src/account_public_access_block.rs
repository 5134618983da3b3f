//! `s3.account_public_access_block`: what no bucket of the account can make public.

use aws_sdk_s3control::Client;
use aws_sdk_s3control::config::Builder;
use aws_sdk_s3control::config::retry::RetryPartition;
use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use engine::vocabulary::{Arn, Id};
use engine::{
    Allow, Aws, Changes, Collected, Deletion, Error, Identity, Live, New, Permissions, Resource,
    Result, Scope, Target, Traits,
};
use serde::{Deserialize, Serialize};

use crate::bucket::PublicAccessBlock;

/// The account-wide switches. Its id is the account's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPublicAccessBlock {
    /// The four switches.
    pub block: PublicAccessBlock,
}

impl Resource for AccountPublicAccessBlock {
    const TRAITS: Traits = Traits {
        identity: Identity::Setting,
        optional: true,
        permissions: Permissions {
            read: &[Allow::to(&["s3:GetAccountPublicAccessBlock"])],
            make: &[Allow::to(&["s3:PutAccountPublicAccessBlock"])],
            remove: &[],
        },
        ..Traits::of("s3.account_public_access_block")
    };
    type Id = Id;
    type Arn = Arn;

    async fn collect(aws: &Aws, _: &Scope) -> Collected<Self> {
        Collected::from_result(read(aws).await.map(|live| vec![live]))
    }

    async fn create(&self, aws: &Aws, _: &New) -> Result<Live<Self>> {
        self.put(aws).await?;
        Ok(Live::new(aws.account_id(), *self))
    }

    async fn update(&self, aws: &Aws, _: &Live<Self>, _: &Changes) -> Result<()> {
        self.put(aws).await
    }

    /// Stays: others share the account.
    async fn delete(_: &Aws, _: &Live<Self>, _: &Deletion) -> Result<()> {
        Ok(())
    }
}

impl AccountPublicAccessBlock {
    async fn put(&self, aws: &Aws) -> Result<()> {
        let configuration = PublicAccessBlockConfiguration::builder()
            .block_public_acls(self.block.block_public_acls)
            .ignore_public_acls(self.block.ignore_public_acls)
            .block_public_policy(self.block.block_public_policy)
            .restrict_public_buckets(self.block.restrict_public_buckets)
            .build();
        let call = s3control(aws)
            .put_public_access_block()
            .account_id(aws.account_id())
            .public_access_block_configuration(configuration);
        aws.call("s3:PutAccountPublicAccessBlock", call.send()).await?;
        Ok(())
    }
}

async fn read(aws: &Aws) -> Result<Live<AccountPublicAccessBlock>> {
    let call = s3control(aws).get_public_access_block().account_id(aws.account_id());
    let answer = match aws.call("s3:GetAccountPublicAccessBlock", call.send()).await {
        Ok(answer) => answer.public_access_block_configuration,
        // Nothing is set, so nothing is blocked.
        Err(Error::Api(error)) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let block = answer.map_or_else(PublicAccessBlock::default, |block| PublicAccessBlock {
        block_public_acls: block.block_public_acls.unwrap_or(false),
        ignore_public_acls: block.ignore_public_acls.unwrap_or(false),
        block_public_policy: block.block_public_policy.unwrap_or(false),
        restrict_public_buckets: block.restrict_public_buckets.unwrap_or(false),
    });
    Ok(Live::new(aws.account_id(), AccountPublicAccessBlock { block }))
}

/// The client. The SDK puts the account in front of the host name, which a single server has no DNS
/// for; it takes the account from the header that is sent too.
fn s3control(aws: &Aws) -> Client {
    let single = match aws.target() {
        Target::Endpoint(url) => Some(url.clone()),
        Target::Embedded(_) | Target::Simulated(_) | Target::Aws => None,
    };
    aws.client_of(|config, interceptors| {
        let partition = RetryPartition::new(aws.retry_partition("aws_sdk_s3control"));
        let config = Builder::from(config).retry_partition(partition);
        let mut config = interceptors.iter().cloned().fold(config, Builder::interceptor);
        if let Some(url) = single {
            config = config.endpoint_resolver(OneServer(url));
        }
        Client::from_conf(config.build())
    })
}

/// Sends everything to one address.
#[derive(Debug)]
struct OneServer(String);

impl aws_sdk_s3control::config::endpoint::ResolveEndpoint for OneServer {
    fn resolve_endpoint<'a>(
        &'a self,
        _: &'a aws_sdk_s3control::config::endpoint::Params,
    ) -> aws_sdk_s3control::config::endpoint::EndpointFuture<'a> {
        let endpoint = aws_smithy_types::endpoint::Endpoint::builder().url(self.0.clone()).build();
        aws_sdk_s3control::config::endpoint::EndpointFuture::ready(Ok(endpoint))
    }
}
