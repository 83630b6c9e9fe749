//! What a person reads on the dashboard: a real Prometheus scrapes a real operator, and answers what the panels and the alerts ask for.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::{DEADLINE, World, token_yaml};
use testbed::folder::RunFolder;
use testbed::process::Process;
use testbed::{http, poll, promtool};

use crate::monitoring::{alerts_path, panels};

/// What has nothing to show where a service does not say when a token was used.
const EMPTY: [&str; 1] = ["Tokens that are used least"];

/// Dropping it ends it.
struct Prometheus {
    process: Process,
    url: String,
    folder: RunFolder,
}

impl Prometheus {
    /// Scrapes this address each second, and judges the alerts of the chart.
    async fn start(target: &str) -> Self {
        let folder = RunFolder::create("prometheus").unwrap();
        let configuration = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [alerts_path()],
            "scrape_configs": [{"job_name": "artifact-token-operator", "static_configs": [{"targets": [target]}]}],
        });
        fs::write(folder.file("prometheus.yaml"), configuration.to_string()).unwrap();
        let address = format!("127.0.0.1:{}", http::free_port().unwrap());
        let mut command = Command::new(promtool::server().unwrap());
        command.arg(format!("--config.file={}", folder.file("prometheus.yaml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.file("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let process = Process::start("prometheus", &command, &folder.file("prometheus.log")).unwrap();
        let mut this = Self { process, url: format!("http://{address}"), folder };
        let ready = format!("{}/-/ready", this.url);
        this.process.wait_until("Prometheus is ready", DEADLINE, || http::look(&ready)).await.unwrap();
        this
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), query).unwrap();
        let request = http::client().unwrap().get(url);
        let (status, text) = http::answer(request).await.unwrap();
        let log = self.folder.file("prometheus.log");
        assert_eq!(status, 200, "{path} {query:?}: {text}\n{}", fs::read_to_string(log).unwrap_or_default());
        serde_json::from_str::<Value>(&text).unwrap()["data"].clone()
    }

    /// The numbers that a panel with this expression shows.
    async fn numbers(&self, expression: &str) -> Vec<f64> {
        let answer = self.ask("query", &[("query", expression)]).await;
        let rows = answer["result"].as_array().unwrap().iter();
        rows.map(|row| row["value"][1].as_str().unwrap().parse().unwrap())
            .filter(|number: &f64| !number.is_nan())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_panel_shows_numbers_and_no_alert_fails() {
    let world = World::start("prometheus").await;
    let operator = world.operator().await;
    world
        .apply(&token_yaml("ci").replace("{policy: Disabled}", "{policy: Periodic, interval: 12h}\n  lifetime: 24h"))
        .await;
    world.until_ready("ci").await;
    let prometheus = Prometheus::start(operator.admin_address()).await;
    let leader = || async {
        let numbers = prometheus.numbers("artifacttoken_leader").await;
        if numbers.is_empty() { Err("nothing is scraped yet".to_owned()) } else { Ok(()) }
    };
    poll("the operator is scraped", DEADLINE, leader).await.unwrap();
    // What happens between two scrapes is what rates are made of.
    world.annotate("ci", "artifact-token.dev/rotate-requested-at", "1").await;
    for (title, expression) in panels() {
        if EMPTY.contains(&title.as_str()) {
            continue;
        }
        let shown = || async {
            let numbers = prometheus.numbers(&expression).await;
            if numbers.is_empty() { Err("no number".to_owned()) } else { Ok(()) }
        };
        poll(&format!("{title} shows a number: {expression}"), DEADLINE, shown).await.unwrap();
    }
    for (title, count) in [("Ready", 1.0), ("Not ready", 0.0), ("Orphans", 0.0)] {
        let expression = panels().into_iter().find(|(panel, _)| panel == title).unwrap().1;
        assert_eq!(prometheus.numbers(&expression).await, [count], "{title}");
    }
    let judged = || async {
        let answer = prometheus.ask("rules", &[]).await;
        let rules: Vec<Value> = answer["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect();
        let wrong: Vec<&Value> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
        if rules.is_empty() || !wrong.is_empty() { Err(format!("{wrong:#?}")) } else { Ok(()) }
    };
    poll("all alerts are judged", DEADLINE + Duration::from_secs(60), judged).await.unwrap();
    // Also one that would only fire later.
    let alerts = prometheus.numbers("ALERTS").await;
    assert!(alerts.is_empty(), "an alert is on its way where all is well: {}", prometheus.ask("alerts", &[]).await);
}
