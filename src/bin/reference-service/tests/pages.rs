//! The pages of Seal and Akinon, used as a browser uses them: forms are sent, and what the person sees is read.

use chrono::{TimeDelta, Utc};
use data_encoding::BASE64;
use serde_json::json;

use super::client::{Reply, exchange_with};
use super::{ADMIN_KEY, Bench};

impl Bench {
    /// Opens a page, or sends a form to it, as `ada`, who is signed in.
    async fn browse(&self, path: &str, form: Option<&str>) -> Reply {
        self.browse_as(ADMIN_KEY, path, form).await
    }

    async fn browse_as(&self, key: &str, path: &str, form: Option<&str>) -> Reply {
        let method = if form.is_some() { "POST" } else { "GET" };
        let basic = format!("Basic {}", BASE64.encode(format!("ada:{key}").as_bytes()));
        let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        exchange_with(self.running.address, method, path, &headers, form.unwrap_or_default()).await
    }

    /// The status of a form that `ada`'s browser sends for a page with these headers.
    async fn post_from(&self, headers: &[(&str, &str)], path: &str, form: &str) -> u16 {
        let basic = format!("Basic {}", BASE64.encode(format!("ada:{ADMIN_KEY}").as_bytes()));
        let usual = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let headers = [&usual, headers].concat();
        exchange_with(self.running.address, "POST", path, &headers, form).await.status()
    }

    /// The status of a request with this `Authorization`.
    async fn status(&self, path: &str, authorization: &str) -> u16 {
        exchange_with(self.running.address, "GET", path, &[("authorization", authorization)], "").await.status()
    }

    async fn authorized(&self, project: &str, token: &str) -> u16 {
        let basic = format!("Basic {}", BASE64.encode(format!("{project}:{token}").as_bytes()));
        self.status("/seal/authorization/", &basic).await
    }
}

/// The text between two others.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {text}")).1;
    rest.split_once(end).unwrap().0
}

#[tokio::test]
async fn a_token_of_seal_is_shown_once_serves_every_project_and_ends_at_once() {
    let bench = Bench::start().await;
    let form = "name=ci+%3Cmain%3E&type=Production&expiry=After+one+year";
    let created = bench.browse("/seal/settings/tokens", Some(form)).await;
    assert_eq!(created.status(), 200, "{}", created.text());
    let value = between(&created.text(), "<code id=\"token\">", "</code>").to_owned();
    for project in ["payments", "search"] {
        assert_eq!(bench.authorized(project, &value).await, 200);
    }
    assert_eq!(bench.authorized("", &value).await, 401, "an empty project");
    assert_eq!(bench.books().await["tokens"][0]["acceptedCount"], 2, "nobody looked at the token for that");
    assert_eq!(bench.authorized("payments", "wrong").await, 401);

    let table = bench.browse("/seal/settings/tokens", None).await.text();
    assert!(!table.contains(&value), "{table}");
    for shown in ["ci &lt;main&gt;", "Production", "365 days left", "ada"] {
        assert!(table.contains(shown), "no {shown} in {table}");
    }
    let id = between(&table, "<a href=\"/seal/settings/tokens/tok_", "/delete");
    let delete = format!("/seal/settings/tokens/tok_{id}/delete");
    assert!(bench.browse(&delete, None).await.text().contains("irreversible"));
    assert_eq!(bench.authorized("payments", &value).await, 200, "nothing was confirmed");
    assert_eq!(bench.browse(&delete, Some("")).await.status(), 303);
    assert_eq!(bench.authorized("payments", &value).await, 401);
    assert!(bench.browse("/seal/settings/tokens", None).await.text().contains("There is no token."));
}

#[tokio::test]
async fn seal_has_two_types_and_two_lifetimes_and_asks_who_is_there() {
    let bench = Bench::start().await;
    for wrong in [
        "name=x&type=Staging&expiry=Never",
        "name=x&type=Production&expiry=A+month",
        "name=&type=Production&expiry=Never",
    ] {
        assert_eq!(bench.browse("/seal/settings/tokens", Some(wrong)).await.status(), 400, "{wrong}");
    }
    let filled = bench.browse("/seal/settings/tokens/new?name=prod.a%22b", None).await.text();
    assert!(filled.contains("prod.a&quot;b") || filled.contains("prod.a&#34;b"), "{filled}");
    for path in ["/seal/settings/tokens", "/akinon/settings/access-tokens"] {
        let stranger = bench.browse_as("wrong", path, None).await;
        assert_eq!(stranger.status(), 401);
        assert!(stranger.header("www-authenticate").is_some_and(|asks| asks.starts_with("Basic ")));
        assert_eq!(
            bench
                .browse_as("wrong", path, Some("name=x&type=Production&expiry=Never&validUntil=2999-01-01"))
                .await
                .status(),
            401
        );
    }
    assert_eq!(bench.books().await["tokens"], json!([]));
}

#[tokio::test]
async fn a_key_of_akinon_stays_readable_and_its_row_stays_when_it_is_revoked() {
    let bench = Bench::start().await;
    let path = "/akinon/settings/access-tokens";
    let tomorrow = (Utc::now() + TimeDelta::days(1)).format("%Y-%m-%d").to_string();
    let form = format!("validUntil={tomorrow}&note=orders");
    assert_eq!(bench.browse(path, Some(&form)).await.status(), 303);
    let table = bench.browse(path, None).await.text();
    let key = between(&table, "<td><code>", "</code>").to_owned();
    assert!(table.contains("Active") && table.contains(&format!("{tomorrow} 23:59")), "{table}");
    let products = "/akinon/api/i2/products/?page=1&limit=1";
    for value in [key.clone(), format!("Token {key}")] {
        assert_eq!(bench.status(products, &value).await, 200, "{value}");
    }
    assert_eq!(bench.status(products, "Token wrong").await, 401);

    let revoke = format!("{path}/tok_{}/revoke", between(&table, "access-tokens/tok_", "/revoke"));
    assert_eq!(bench.browse(&revoke, Some("")).await.status(), 303);
    assert_eq!(bench.status(products, &key).await, 401);
    let table = bench.browse(path, None).await.text();
    assert!(table.contains("Expired") && table.contains(&key) && !table.contains("<button>Revoke"), "{table}");

    let elsewhere = [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(bench.post_from(&elsewhere, path, &form).await, 403, "a form of another site");
    for date in ["2020-01-01", "soon", ""] {
        assert_eq!(bench.browse(path, Some(&format!("validUntil={date}"))).await.status(), 400, "{date}");
    }
}

#[tokio::test]
async fn each_system_knows_only_its_own_tokens() {
    let bench = Bench::start().await;
    let (id, value) = bench.issue("ci").await;
    assert_eq!(bench.authorized("payments", &value).await, 401);
    assert_eq!(bench.status("/akinon/api/i2/products/", &value).await, 401);
    assert_eq!(bench.browse(&format!("/seal/settings/tokens/{id}/delete"), Some("")).await.status(), 404);
    assert_eq!(bench.browse(&format!("/akinon/settings/access-tokens/{id}/revoke"), Some("")).await.status(), 404);
    let created = bench.browse("/seal/settings/tokens", Some("name=ci&type=Development&expiry=Never")).await;
    let seals = between(&created.text(), "<code id=\"token\">", "</code>").to_owned();
    assert_eq!(bench.verify(&seals).await.status(), 401);
    assert_eq!(bench.verify(&value).await.status(), 200);
    assert_eq!(super::names(&bench.list("").await), ["ci"], "no row of another system");
}
