//! Flow logs.

use winterbaume_ec2_generated::model::{
    CreateFlowLogsResult, DeleteFlowLogsResult, DescribeFlowLogsResult, DestinationOptionsResponse,
    FlowLog, FlowLogSet, TagList, UnsuccessfulItem, UnsuccessfulItemError,
};
use winterbaume_ec2_generated::wire;

use super::filter::{Filtered, one, page, select};
use super::{Answer, Form, held, invalid, made_before, missing, remember, seen, subnet, tag, vpc};
use crate::call::Call;
use crate::fault::Fault;

/// The fields that a flow log has when the request names none.
const DEFAULT_FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

impl Filtered for FlowLog {
    fn values(&self, filter: &str) -> Option<Vec<String>> {
        match filter {
            "deliver-log-status" => one(&self.deliver_logs_status),
            "log-destination-type" => one(&self.log_destination_type),
            "flow-log-id" => one(&self.flow_log_id),
            "log-group-name" => one(&self.log_group_name),
            "resource-id" => one(&self.resource_id),
            "traffic-type" => one(&self.traffic_type),
            _ => None,
        }
    }
    fn tags(&self) -> Option<&TagList> {
        self.tags.as_ref()
    }
}

pub(super) fn create(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_create_flow_logs_request(form)?;
    let client_token = input.client_token.clone();
    if let Some(ids) = made_before(call, form)? {
        let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
        let answer = CreateFlowLogsResult {
            client_token,
            flow_log_ids: Some(ids.into()),
            unsuccessful: None,
        };
        return Ok(wire::serialize_create_flow_logs_response(&answer));
    }
    let kind = input.log_destination_type.unwrap_or_else(|| "cloud-watch-logs".into());
    if !matches!(input.traffic_type.as_deref(), Some("ALL" | "ACCEPT" | "REJECT")) {
        return Err(match input.traffic_type {
            None => missing("TrafficType"),
            Some(other) => invalid(format!("Invalid value '{other}' for TrafficType.")),
        });
    }
    let interval = input.max_aggregation_interval.unwrap_or(600);
    if ![60, 600].contains(&interval) {
        return Err(Fault::new("InvalidParameter", "Invalid Flow Log Max Aggregation Interval"));
    }
    let (destination, group) = match kind.as_str() {
        "cloud-watch-logs" => {
            if input.deliver_logs_permission_arn.is_none() {
                let message = "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.";
                return Err(Fault::new("InvalidParameter", message));
            }
            match (input.log_destination, input.log_group_name) {
                (Some(_), Some(_)) => {
                    let message =
                        "Please only provide LogGroupName or only provide LogDestination.";
                    return Err(Fault::new("InvalidParameter", message));
                }
                (Some(arn), None) => {
                    let name = arn.split_once(":log-group:").map(|(_, name)| name);
                    let name = name
                        .map(|name| name.trim_end_matches(":*").to_owned())
                        .ok_or_else(|| bad_destination(&arn))?;
                    (Some(arn), Some(name))
                }
                (None, Some(name)) => (None, Some(name)),
                (None, None) => {
                    return Err(Fault::new(
                        "InvalidParameter",
                        "LogDestination can't be empty if LogGroupName is not provided.",
                    ));
                }
            }
        }
        "s3" => {
            let arn = input
                .log_destination
                .ok_or_else(|| Fault::new("InvalidParameter", "LogDestination can't be empty."))?;
            if !arn.starts_with("arn:aws:s3:::") {
                return Err(bad_destination(&arn));
            }
            if input.deliver_logs_permission_arn.is_some() {
                let message = "DeliverLogsPermissionArn is not applicable for s3 delivery";
                return Err(Fault::new("InvalidParameter", message));
            }
            (Some(arn), None)
        }
        other => return Err(invalid(format!("Invalid value '{other}' for LogDestinationType."))),
    };
    let format = input.log_format.unwrap_or_else(|| DEFAULT_FORMAT.to_owned());
    if !format.split_whitespace().all(|field| field.starts_with("${") && field.ends_with('}')) {
        return Err(Fault::new("InvalidParameter", format!("Unknown fields provided: {format}")));
    }
    let tags = tag::specified(input.tag_specifications, "vpc-flow-log")?;
    let options = input.destination_options.map(|options| DestinationOptionsResponse {
        file_format: options.file_format.or_else(|| Some("plain-text".into())),
        hive_compatible_partitions: options.hive_compatible_partitions.or(Some(false)),
        per_hour_partition: options.per_hour_partition.or(Some(false)),
    });
    let mut made = Vec::new();
    let mut unsuccessful = Vec::new();
    for resource in &input.resource_ids.items {
        let state = seen(call);
        let exists = match input.resource_type.as_str() {
            "VPC" => vpc::find(state, resource).map(|_| ()),
            "Subnet" => subnet::find(state, resource).map(|_| ()),
            other => return Err(invalid(format!("Invalid value '{other}' for ResourceType."))),
        };
        let same = state.flow_logs.values().any(|other| {
            other.resource_id.as_ref() == Some(resource)
                && other.traffic_type == input.traffic_type
                && other.log_destination == destination
                && other.log_group_name == group
        });
        let duplicate = || {
            let message = "Error. There is an existing Flow Log with the same configuration and log destination.";
            Fault::new("FlowLogAlreadyExists", message)
        };
        let checked = exists.and_then(|()| if same { Err(duplicate()) } else { Ok(()) });
        if let Err(fault) = checked {
            unsuccessful.push(failure(resource, fault));
            continue;
        }
        let id = call.new_id("fl");
        let log = FlowLog {
            creation_time: Some(call.iso8601()),
            deliver_logs_permission_arn: input.deliver_logs_permission_arn.clone(),
            deliver_logs_status: Some("SUCCESS".into()),
            destination_options: options.clone(),
            flow_log_id: Some(id.clone()),
            flow_log_status: Some("ACTIVE".into()),
            log_destination: destination.clone(),
            log_destination_type: Some(kind.clone()),
            log_format: Some(format.clone()),
            log_group_name: group.clone(),
            max_aggregation_interval: Some(interval),
            resource_id: Some(resource.clone()),
            tags: tags.clone(),
            traffic_type: input.traffic_type.clone(),
            ..Default::default()
        };
        held(call).flow_logs.insert(id.clone(), log);
        made.push(id);
    }
    if !made.is_empty() {
        remember(call, form, &made.join(","));
    }
    let answer = CreateFlowLogsResult {
        client_token,
        flow_log_ids: Some(made.into()),
        unsuccessful: Some(unsuccessful.into()),
    };
    Ok(wire::serialize_create_flow_logs_response(&answer))
}

fn bad_destination(arn: &str) -> Fault {
    Fault::new(
        "InvalidParameter",
        format!("The Amazon Resource Name (ARN) {arn} is not a valid log destination"),
    )
}

fn failure(id: &str, fault: Fault) -> UnsuccessfulItem {
    let error = UnsuccessfulItemError { code: Some(fault.code), message: Some(fault.message) };
    UnsuccessfulItem { error: Some(error), resource_id: Some(id.into()) }
}

pub(super) fn describe(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_describe_flow_logs_request(form)?;
    let state = seen(call);
    let wanted = input.flow_log_ids.map(|list| list.items);
    let all = state.flow_logs.values().filter(|log| {
        wanted
            .as_ref()
            .is_none_or(|ids| log.flow_log_id.as_ref().is_some_and(|id| ids.contains(id)))
    });
    let all = all.cloned();
    let all = select(all, input.filter.as_ref())?;
    let (items, next_token) = page(all, input.next_token.as_deref(), input.max_results)?;
    let flow_logs = Some(FlowLogSet { items });
    let answer = DescribeFlowLogsResult { flow_logs, next_token };
    Ok(wire::serialize_describe_flow_logs_response(&answer))
}

pub(super) fn delete(call: &mut Call<'_>, form: &Form) -> Answer {
    let input = wire::deserialize_delete_flow_logs_request(form)?;
    let mut unsuccessful = Vec::new();
    for id in input.flow_log_ids.items {
        if held(call).flow_logs.remove(&id).is_none() {
            let message =
                format!("These flow log ids in the input list are not found: [TotalCount: 1] {id}");
            unsuccessful.push(failure(&id, Fault::new("InvalidFlowLogId.NotFound", message)));
        }
    }
    let answer = DeleteFlowLogsResult { unsuccessful: Some(unsuccessful.into()) };
    Ok(wire::serialize_delete_flow_logs_response(&answer))
}
