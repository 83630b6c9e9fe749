use std::io::{BufRead as _, BufReader};

use super::*;
use crate::folder::RunFolder;
use crate::poll;

/// Set for the run of this test binary that is the parent.
const PARENT: &str = "TESTBED_PARENT";
const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Whether a process lives. A zombie counts as dead, because its killer may not be the process that reaps it.
fn lives(pid: u32) -> bool {
    let state = if Path::new("/proc/self/stat").exists() {
        // The state is the first word after the program's name, which stands in parentheses.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().unwrap_or_default().to_owned()
    } else {
        let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

async fn wait_until_gone(pid: u32) {
    let look = || async move { if lives(pid) { Err(String::from("it lives")) } else { Ok(()) } };
    poll(&format!("the end of process {pid}"), SOON, look).await.unwrap();
}

/// Not a test by itself: the parent that `a_child_dies_with_a_killed_parent` kills.
#[tokio::test]
async fn parent() {
    if std::env::var_os(PARENT).is_none() {
        return;
    }
    let folder = RunFolder::create("process-parent").unwrap();
    let start = |script| {
        // From a thread that ends at once, as the threads of test runtimes do.
        let log = folder.file("log");
        std::thread::spawn(move || Process::start("child", &shell(script), &log).unwrap()).join().unwrap()
    };
    let (plain, deaf) = (start("exec sleep 600"), start("trap '' TERM INT HUP; sleep 600 & wait"));
    println!("\npids {} {}", plain.pid(), deaf.pid());
    sleep(Duration::from_secs(600)).await;
}

#[tokio::test]
async fn a_child_dies_with_a_killed_parent() {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::parent", "--nocapture"])
        .env(PARENT, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let pids = lines.find_map(|line| line.strip_prefix("pids ").map(str::to_owned)).unwrap();
    let pids: Vec<u32> = pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| lives(*pid)), "the children outlive the thread that started them");
    parent.kill().unwrap();
    parent.wait().unwrap();
    for pid in pids {
        wait_until_gone(pid).await;
    }
}

#[tokio::test]
async fn a_child_and_what_it_started_die_with_the_handle() {
    let folder = RunFolder::create("process").unwrap();
    let script = "sleep 600 & echo $!; wait";
    let (log, stdout) = (folder.file("log"), folder.file("stdout"));
    let mut process = Process::start_with_stdout("child", &shell(script), &log, &stdout).unwrap();
    let grandchild: u32 = process.first_line(SOON).await.unwrap().parse().unwrap();
    let child = process.pid();
    assert!(process.is_running() && lives(child) && lives(grandchild));
    drop(process);
    wait_until_gone(child).await;
    wait_until_gone(grandchild).await;
}

#[tokio::test]
async fn stop_is_heard_and_a_deaf_child_is_killed() {
    let folder = RunFolder::create("process").unwrap();
    let script = "trap 'echo heard; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let mut process = Process::start("child", &shell(script), &folder.file("polite")).unwrap();
    let log = folder.file("polite");
    let ready = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        async move { if log.contains("ready") { Ok(()) } else { Err(log) } }
    };
    process.wait_until("ready", SOON, ready).await.unwrap();
    let status = process.stop(Signal::Terminate, SOON).await.unwrap();
    assert_eq!((status.code(), process.log_tail(1).as_str()), (Some(7), "heard"));

    let script = "trap '' TERM; while :; do sleep 0.05; done";
    let mut deaf = Process::start("deaf", &shell(script), &folder.file("deaf")).unwrap();
    sleep(Duration::from_millis(200)).await;
    let failure = deaf.stop(Signal::Terminate, Duration::from_millis(300)).await.unwrap_err();
    assert!(failure.to_string().contains("still runs"), "{failure}");
    assert!(!deaf.is_running());
}

#[tokio::test]
async fn a_paused_process_runs_on_after_resume() {
    let folder = RunFolder::create("process").unwrap();
    let mut process = Process::start("child", &shell("exec sleep 600"), &folder.file("log")).unwrap();
    process.signal(Signal::Pause).unwrap();
    assert!(process.is_running());
    process.signal(Signal::Resume).unwrap();
    let status = process.stop(Signal::Terminate, SOON).await.unwrap();
    assert!(!status.success());
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_reported_with_its_log() {
    let folder = RunFolder::create("process").unwrap();
    let mut process = Process::start("nothing", &Command::new("/no/such/program"), &folder.file("log")).unwrap();
    let never = || std::future::ready(Err(String::from("not ready")));
    let failure = process.wait_until("ready", SOON, never).await.unwrap_err().to_string();
    assert!(failure.contains("ended") && failure.contains("/no/such/program"), "{failure}");
}
