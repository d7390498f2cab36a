//! What the events of a label say of its request.

use crate::gitlab::answer::LabelEvent;
use crate::id::RequestId;
use crate::snapshot::MergeRequest;

/// Only a removal or another addition is evidence of a withdrawal. A missing, renamed or deleted label is not.
pub(super) fn withdrawn(mr: &MergeRequest, request: RequestId, label: &str) -> bool {
    since(mr, request, label).next().is_some()
}

/// The bot itself took the label off. It does so last, so whatever could be posted has been posted; unless it added the
/// label again at once, since it had taken off what another run had just added.
pub(super) fn is_label_removed_by_bot(
    mr: &MergeRequest,
    request: RequestId,
    label: &str,
    bot: &str,
) -> bool {
    let mut later: Vec<&LabelEvent> = since(mr, request, label).collect();
    later.sort_by_key(|event| event.id);
    let did = |event: Option<&&LabelEvent>, action: &str| {
        let by = event.filter(|event| event.action == action);
        let user = by.and_then(|event| event.user.as_ref());
        user.is_some_and(|user| user.username == bot)
    };
    did(later.first(), "remove") && !did(later.get(1), "add")
}

/// The events of the label after the request's own, whatever the label is called now.
fn since<'a>(
    mr: &'a MergeRequest,
    request: RequestId,
    label: &str,
) -> impl Iterator<Item = &'a LabelEvent> {
    let name = |event: &LabelEvent| event.label.as_ref().map(|label| label.name.clone());
    let asked = mr.events.iter().find(|event| event.id == request);
    let present = asked.and_then(name).unwrap_or_else(|| label.to_owned());
    let later = mr.events.iter().filter(move |event| event.id > request);
    later.filter(move |event| name(event).as_ref() == Some(&present))
}

/// The label was renamed and is still on: a run with the new name has to take it off.
pub fn is_renamed(events: &[LabelEvent], request: RequestId, label: &str) -> bool {
    let name = |event: &LabelEvent| event.label.as_ref().map(|label| label.name.clone());
    let asked = events.iter().find(|event| event.id == request);
    let present = asked.and_then(name).filter(|present| present != label);
    let later = |event: &LabelEvent| event.id > request && name(event) == present;
    present.is_some() && !events.iter().any(later)
}
