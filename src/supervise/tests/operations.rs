//! Operations: what is asked for and takes more than one input.

use super::super::operations::OPERATIONS_MAX;
use super::*;

/// `web` needs `db`, so `db` stops after it.
fn web_needs_db() -> Story {
    let db = Dependency {
        name: "db".to_owned(),
        condition: None,
        is_optional: false,
        place: WrittenAt::default(),
    };
    let web = ProcessSpec { depends_on: vec![db], ..spec("web") };
    Story::of(vec![alone(1, spec("db")), alone(1, web)]).running()
}

#[test]
fn requests_beyond_the_bound_are_refused_and_the_others_answered() {
    let mut story = web_needs_db();
    story.stop("web", Wait::Yes);
    // A stop that waits for another can be asked for again and again.
    for _ in 1..OPERATIONS_MAX {
        story.stop("db", Wait::Yes);
    }
    story.told.clear();
    story.stop("db", Wait::Yes);
    story.tells(&["!reply 4097 FAILED: too many requests wait for processes; try again later"]);
    story.ask(Command::GetPid);
    story.tells(&["!reply 4098 Pid(1)"]);
    story.exits("web", 0);
    story.exits("db", 0);
    let answered = story.told.iter().filter(|line| line.ends_with(" done")).count();
    assert_eq!((answered, story.supervisor.operations.count()), (OPERATIONS_MAX, 0));
    story.start("db", Wait::No);
    assert_eq!(story.told.last().unwrap(), "!reply 4099 done");
}
