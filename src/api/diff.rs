//! What an update would do.

use serde::Serialize;

use super::list::{ListReply, NoHead, encode};
use crate::model::{GroupDifference, Namespec, OptionDifference, ProcessDifference};

#[derive(Serialize)]
struct GroupDiffView<'a> {
    group: &'a str,
    change: &'static str,
    processes: Vec<ProcessDiffView<'a>>,
}

#[derive(Serialize)]
struct ProcessDiffView<'a> {
    full_name: String,
    group: &'a str,
    name: &'a str,
    change: &'static str,
    action: &'static str,
    options: Vec<OptionDiffView<'a>>,
}

#[derive(Serialize)]
struct OptionDiffView<'a> {
    name: &'a str,
    effect: &'static str,
    old: Option<&'a str>,
    new: Option<&'a str>,
}

pub(super) fn diff(groups: Vec<GroupDifference>) -> ListReply {
    ListReply::new(&NoHead {}).list("groups", groups, |group, out| encode(&group_view(group), out))
}

fn group_view(GroupDifference { group, change, processes }: &GroupDifference) -> GroupDiffView<'_> {
    let process = |process| process_view(group, process);
    GroupDiffView { group, change: change.name(), processes: processes.iter().map(process).collect() }
}

fn process_view<'a>(group: &'a str, process: &'a ProcessDifference) -> ProcessDiffView<'a> {
    let ProcessDifference { name, change, action, options } = process;
    let options = options.iter().map(|OptionDifference { name, update, old, new }| OptionDiffView {
        name,
        effect: update.name(),
        old: old.as_deref(),
        new: new.as_deref(),
    });
    ProcessDiffView {
        full_name: Namespec::join(group, name),
        group,
        name,
        change: change.name(),
        action: action.name(),
        options: options.collect(),
    }
}
