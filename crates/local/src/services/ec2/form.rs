//! Requests in the spelling that the parsers expect.
//!
//! EC2 writes lists as `Filter.1.Value.2` and `TagSpecification.1.Tag.1.Key`. The parsers of
//! winterbaume expect the names of the model's members instead, with the name of the item between:
//! `Filters.Filter.1.Values.item.2`. This is the one place that knows of the difference.

use super::Form;

/// The request with each list under every spelling that a parser could ask for it.
pub(super) fn as_modelled(sent: &Form) -> Form {
    let mut form = Form::new();
    for (key, value) in sent {
        let key = if key == "GroupDescription" { "Description" } else { key.as_str() };
        for spelling in spellings(key) {
            form.insert(spelling, value.clone());
        }
    }
    form
}

fn spellings(key: &str) -> Vec<String> {
    let parts: Vec<&str> = key.split('.').collect();
    let mut found = vec![String::new()];
    for (at, part) in parts.iter().enumerate() {
        let is_list = parts.get(at + 1).is_some_and(|next| next.parse::<u32>().is_ok());
        let options = if is_list { list(part) } else { vec![(*part).to_owned()] };
        found = found
            .iter()
            .flat_map(|so_far| {
                options.iter().map(move |option| match so_far.as_str() {
                    "" => option.clone(),
                    _ => format!("{so_far}.{option}"),
                })
            })
            .collect();
    }
    found
}

fn list(name: &str) -> Vec<String> {
    let spellings: &[&str] = match name {
        // Most calls have a list of Filters, some a list that is called Filter.
        "Filter" => &["Filters.Filter", "Filter.Filter"],
        "Groups" => &["UserIdGroupPairs.item"],
        "GroupId" => &["GroupIds.groupId"],
        "Owner" => &["OwnerIds.Owner"],
        "ResourceId" => &["ResourceIds.item", "Resources.member"],
        _ if name.ends_with('s') => return vec![format!("{name}.item")],
        _ => return vec![format!("{name}s.item"), format!("{name}s.{name}")],
    };
    spellings.iter().map(|&spelling| spelling.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_get_the_names_of_the_model() {
        let key = "TagSpecification.1.Tag.2.Key";
        assert!(spellings(key).contains(&"TagSpecifications.item.1.Tags.item.2.Key".to_owned()));
        let key = "Filter.1.Value.1";
        assert!(spellings(key).contains(&"Filters.Filter.1.Values.item.1".to_owned()));
        assert_eq!(spellings("EnableDnsSupport.Value"), ["EnableDnsSupport.Value"]);
    }
}
