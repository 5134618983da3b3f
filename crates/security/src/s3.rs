//! The S3 client. Every bucket call of this crate goes through it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryPartition;
use engine::Aws;
use engine::aws::AskBeforeCreatingAgain;

/// The client. Imitations of AWS have one host name and no wildcard DNS, so the bucket goes into the
/// path there.
pub(crate) fn s3(aws: &Aws) -> Client {
    let path_style = !aws.is_real();
    aws.client_of(|config, interceptors| {
        let partition = RetryPartition::new(aws.retry_partition("aws_sdk_s3"));
        let config = Builder::from(config).force_path_style(path_style).retry_partition(partition);
        let config = interceptors.iter().cloned().fold(config, Builder::interceptor);
        Client::from_conf(config.retry_classifier(AskBeforeCreatingAgain).build())
    })
}
