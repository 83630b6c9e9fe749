//! A pseudo-terminal, as a person has one: the question before a revoke, what happens meanwhile, and colours.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::session::{Session, token_yaml};

/// Runs the command on a terminal of its own, types the line, and returns whether it ended well and all that the person saw.
fn on_a_terminal(session: &Session, line: &str, typed: &str) -> (bool, String) {
    let shell = session.command(line);
    let script = shell.get_args().last().unwrap().to_str().unwrap().to_owned();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--flush", "--command", &script, "/dev/null"]);
    command
        .envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("TERM", "xterm")
        .env_remove("NO_COLOR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("script, of util-linux, which every distribution has");
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(keyboard);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn on_a_terminal_a_revoke_asks_for_the_name_and_tells_how_it_goes() {
    let session = Session::with_service("plugin-tty").await;
    let _operator = session.operator().await;
    session.world.apply(&token_yaml("ci")).await;
    session.world.until_ready("ci").await;
    let (good, seen) = on_a_terminal(&session, "revoke ci -n $NS", "yes\n");
    assert!(!good && seen.contains("Type ci to go on") && seen.contains("that is not the name ci"), "{seen}");
    let id = session.world.current_id("ci").await;
    let (good, seen) = on_a_terminal(&session, "revoke ci -n $NS", "ci\n");
    assert!(good && seen.contains(&format!("attempt 1 (id {id}) is dead")), "{seen}");
    assert!(session.world.is_dead(&id).await);
}

#[tokio::test]
async fn colours_are_for_terminals() {
    let mut session = Session::with_service("plugin-colours").await;
    session.world.apply(&token_yaml("ci")).await;
    let coloured = |text: &str| text.contains("\x1b[");
    let (_, seen) = on_a_terminal(&session, "status ci -n $NS", "");
    assert!(coloured(&seen), "{seen}");
    let (_, seen) = on_a_terminal(&session, "status ci -n $NS --color never", "");
    assert!(!coloured(&seen), "{seen}");
    assert!(!coloured(&session.run("status ci -n $NS").1));
    assert!(coloured(&session.run("status ci -n $NS --color always").1));
}
