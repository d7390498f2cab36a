//! What the events of a label tell about it. Those of a label that was deleted since, or that may not be seen, bear no name.

use bench_bot::gitlab::answer::LabelEvent;
use bench_bot::survey::{Newest, newest_request, removed_by, stands_for};

use crate::scene::*;

#[test]
fn what_a_label_stands_for_and_whether_it_was_taken_off_last() {
    let added = || event(101, "add", Some(LABEL));
    let removed = || event(150, "remove", Some(LABEL));
    let again = || event(200, "add", Some(LABEL));
    let of_another = |action| event(300, action, Some(FULL));
    let nameless = |action| event(90, action, None);
    let first = || Newest::Request(request(101, LABEL));
    let second = || Newest::Request(request(200, LABEL));
    let table: [(&[LabelEvent], Newest, bool); 10] = [
        (&[], Newest::NoEvent, false),
        (&[of_another("add")], Newest::NoEvent, false),
        (&[of_another("remove")], Newest::NoEvent, false),
        (&[nameless("add")], Newest::NotYet, false),
        (
            &[nameless("remove"), of_another("add")],
            Newest::NotYet,
            false,
        ),
        (&[nameless("remove"), added()], first(), false),
        (&[added(), of_another("remove")], first(), false),
        (&[added(), removed()], Newest::NotYet, true),
        (&[added(), removed(), again()], second(), false),
        // Whatever their order.
        (&[again(), added(), removed()], second(), false),
    ];
    for (events, newest, is_removed) in table {
        let story = format!("{events:?}");
        let stands = |id| stands_for(events, &request(id, LABEL));
        for id in [101, 200] {
            let is_that = newest == Newest::Request(request(id, LABEL));
            assert_eq!(stands(id), is_that, "{id}: {story}");
        }
        assert_eq!(stands(0), newest == Newest::NoEvent, "{story}");
        let dana = Some(user(30, "dana"));
        let by = removed_by(events, LABEL);
        assert_eq!(by, is_removed.then_some(dana), "{story}");
        assert_eq!(newest_request(events, LABEL), newest, "{story}");
    }
}
